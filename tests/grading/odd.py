# ruff: noqa: E501
"""More than a hundred unusual but honest notebooks, which ran for the student and get full marks."""

from __future__ import annotations

import json

from tests.grading import odd_habits
from tests.grading.cases import WRONG_STEP, Case
from tests.grading.pages import NAMES, RIGHT, cells, code_cell, dump, notebook, text_cell

_STEP = "def step(x):\n    return (np.asarray(x) > 0).astype(float)"
_SIGMOID = WRONG_STEP.strip()
_MSE = RIGHT["1.7"]

# A cell before the answers that must not affect their points.
_BEFORE = {
    "Colab: drive mounted": "from google.colab import drive\ndrive.mount('/content/drive')\n%cd /content/drive/MyDrive/homework",
    "Colab: files uploaded": "from google.colab import files\nuploaded = files.upload()\nfor name in uploaded:\n    print(name)",
    "Colab: a GPU is demanded": "import os\nif os.environ.get('COLAB_GPU') is None:\n    raise SystemError('GPU device not found')",
    "Colab: TensorFlow's version": "%tensorflow_version 2.x\n%load_ext tensorboard",
    "Colab: a form": "#@title Settings { run: 'auto' }\nrate = 0.5 #@param {type:'slider', min:0, max:1}\nname = 'a' #@param ['a', 'b']",
    "Colab: a data table": "%load_ext google.colab.data_table\nfrom google.colab import data_table\ndata_table.enable_dataframe_formatter()",
    "Colab: secrets": "from google.colab import userdata\nkey = userdata.get('KEY')",
    "Kaggle: the first cell": (
        "# This Python 3 environment comes with many helpful analytics libraries installed\n"
        "import numpy as np # linear algebra\nimport pandas as pd\nimport os\n"
        "for dirname, _, filenames in os.walk('/kaggle/input'):\n    for filename in filenames:\n"
        "        print(os.path.join(dirname, filename))"
    ),
    "Kaggle: its data": "import pandas as pd\ntrain = pd.read_csv('/kaggle/input/house-prices/train.csv')\ntrain.head()",
    "Kaggle: its secrets": "from kaggle_secrets import UserSecretsClient\nclient = UserSecretsClient()\ntoken = client.get_secret('x')",
    "Databricks: widgets": "dbutils.widgets.text('name', 'value')\nspark.sql('select 1').show()",
    "JupyterLite: piplite": "import piplite\nawait piplite.install('seaborn')",
    "installs": "%pip install -q seaborn\n!pip install -U \\\n    seaborn \\\n    torch\n%conda install -y numpy",
    "an install without a percent sign": "pip install numpy",
    "downloads": "!wget -q https://example.com/data.zip\n!unzip -o data.zip\n!curl -O https://example.com/x",
    "git": "!git clone https://example.com/course.git\n%cd course\n%cd ..",
    "a GPU asked for": "!nvidia-smi\ngpu_info = !nvidia-smi -L\nprint('\\n'.join(gpu_info))",
    "shell with a Python value": "folder = 'out'\n!mkdir -p {folder} && echo hello > {folder}/a.txt\n!cat $folder/a.txt",
    "two cell magics": "%%capture\n%%time\nimport math\nprint(math.pi)",
    "html": "%%html\n<style>.rendered_html { font-size: 120% }</style>",
    "javascript": "%%javascript\nIPython.OutputArea.prototype._should_scroll = function(lines) { return false; }",
    "latex": "%%latex\n$$\\sigma(z)$$",
    "R": "%%R\nx <- c(1, 2, 3)\nplot(x)",
    "an unknown cell magic": "%%wandb\nlearned = 3",
    "an unknown line magic": "%watermark -v\n%nb_black\n%load_ext lab_black",
    "line magics of all kinds": "%config InlineBackend.figure_format = 'retina'\n%matplotlib widget\n%autosave 60\n%precision 3\n%xmode Plain\n%who\n%lsmagic",
    "autoreload": "%load_ext autoreload\n%autoreload 2",
    "help": "np.where?\n?np.exp\nnp.allclose??",
    "an alias": "%alias hello echo hello\n%hello",
    "notebook state": "from IPython import get_ipython\nshell = get_ipython()\nin_notebook = shell is not None and 'IPKernelApp' in getattr(shell, 'config', {})\nprint(In[-1][:10], len(Out))",
    "a hook on the shell": "def after():\n    print('done')\nget_ipython().events.register('post_run_cell', after)",
    "a magic of one's own": "from IPython.core.magic import register_line_magic, register_cell_magic\n@register_line_magic\ndef shout(line):\n    return line.upper()\nloud = %shout hello\n@register_cell_magic\ndef skip(line, cell):\n    pass",
    "widgets": "import ipywidgets as widgets\nfrom ipywidgets import interact\n@interact(x=(0, 10))\ndef show(x=3):\n    return x * x",
    "an animation": "import matplotlib.pyplot as plt\nfrom matplotlib import animation\nfrom IPython.display import HTML\nfig, ax = plt.subplots()\nline, = ax.plot([], [])",
    "a style that is not there": "import matplotlib.pyplot as plt\nplt.style.use('seaborn-whitegrid')\nplt.rcParams['font.family'] = 'NanumGothic'\nplt.rc('font', family='Malgun Gothic')",
    "seaborn beside matplotlib": "import seaborn as sns\nimport matplotlib.pyplot as plt\nsns.set_theme(style='darkgrid')\npalette = sns.color_palette()",
    "torch beside NumPy": "import torch\nimport torch.nn as nn\ntorch.manual_seed(0)\ndevice = 'cuda' if torch.cuda.is_available() else 'cpu'",
    "an old NumPy": "np.float = float\nnp.int = int\nx = np.float(3)",
    "input asked in a loop": "answer = input('Continue? [y/n] ')\nif answer == 'y':\n    print('yes')",
    "a password": "from getpass import getpass\nkey = getpass('API key: ')",
    "a number asked for": "n = int(input('How many? '))",
    "a debugger": "def f(x):\n    breakpoint()\n    return x\nf(1)\n%debug",
    "tqdm": "from tqdm.auto import tqdm\nfor i in tqdm(range(3)):\n    pass",
    "clear_output": "from IPython.display import clear_output, display, Markdown\nfor i in range(3):\n    clear_output(wait=True)\n    display(Markdown(f'**{i}**'))",
    "prints in colour": "print('\\033[1mbold\\033[0m')\nimport sys\nsys.stdout.write('x')\nsys.stdout.flush()",
    "stderr closed": "import sys\nsys.stderr.close()\nsys.stderr = sys.__stderr__",
    "stdout replaced": "import sys, io\nold = sys.stdout\nsys.stdout = io.StringIO()",
    "stdout wrapped": "import sys, codecs\nsys.stdout = codecs.getwriter('utf-8')(sys.stdout.detach())",
    "an exit at the end of a lesson": "done = True\nif not done:\n    exit()",
    "an event loop of one's own": "import asyncio\nloop = asyncio.get_event_loop()\nprint(loop.is_running())",
    "nest_asyncio": "import nest_asyncio\nnest_asyncio.apply()\nimport asyncio\nasync def main():\n    return 3\nfound = asyncio.run(main())",
    "a background task": "import asyncio\nasync def tick():\n    while True:\n        await asyncio.sleep(0.1)\nticking = asyncio.create_task(tick())",
    "async for and async with": "import asyncio, contextlib\n@contextlib.asynccontextmanager\nasync def place():\n    yield 1\nasync def numbers():\n    for n in range(3):\n        yield n\nasync with place() as p:\n    squares = [n ** 2 async for n in numbers()]",
    "a lock and threads": "import threading\nlock = threading.Lock()\nwith lock:\n    pass\nfrom concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(2) as pool:\n    squares = list(pool.map(lambda n: n * n, range(4)))",
    "logging to a file": "import logging\nlogging.basicConfig(filename='run.log', level=logging.DEBUG, force=True)\nlogging.info('started')",
    "a random seed everywhere": "import random, os\nos.environ['PYTHONHASHSEED'] = '0'\nrandom.seed(0)\nnp.random.seed(0)",
    "warnings silenced": "import warnings, os\nwarnings.filterwarnings('ignore')\nos.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'",
    "a locale": "import locale\nlocale.setlocale(locale.LC_ALL, 'ko_KR.UTF-8')",
    "a signal handler": "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)",
    "an absolute path of Windows": "import os\nos.chdir(r'C:\\Users\\Kim\\Documents')",
    "the folder above on the path": "import sys\nsys.path.append('..')\nfrom utils import plot_decision",
    "a match statement": "match 3:\n    case 1 | 2:\n        small = True\n    case int(n) if n > 2:\n        small = False\n    case _:\n        pass",
    "a leading indent": "    x = 1\n    y = x + 1",
    "doctest prompts": ">>> x = 1\n>>> for i in range(2):\n...     x += i",
    "prompts of IPython": "In [1]: x = 1\n\nIn [2]: y = x + 1",
    "semicolons": "x = 1; y = 2; print(x, y);",
    "a remainder at the start of a line": "total = (17\n% 5)\nshare = (total\n    % 3)",
    "an assertion that fails": "assert 1 + 1 == 3, 'check my arithmetic'",
    "a Python 2 print": "print 'hello'",
    "an unfinished cell": "for i in range(3):",
    "a pasted shell line": "$ python train.py",
    "pandas options": "import pandas as pd\npd.set_option('display.max_rows', 5)\ntable = pd.DataFrame({'a': [1, 2]})\ntable",
    "a function that shadows check's module": "import helpers\nprint(helpers.__all__)",
}  # fmt: skip

# Answers in forms that run in Jupyter: by exercise, one source or several cells.
_ANSWERS = {
    "%time around an answer": {"1.8": "def run():\n    return {r: r / 2 for r in (0.1, 0.2, 0.3)}\n%time sweep = run()"},
    "%%time around an answer": {"1.5": f"%%time\n{RIGHT['1.5']}"},
    "%%time with a blank line": {"1.7": f"%%time\n\n{_MSE}"},
    "%%capture around an answer": {"1.8": "%%capture output\nsweep = {r: float(r) for r in range(4)}\nprint(sweep)"},
    "%%capture and what it kept": {"1.8": ["%%capture kept\nprint('0.1 0.2 0.3')", "sweep = {n: float(n) for n in kept.stdout.split()}"]},
    "%prun around an answer": {"1.3": "%prun -q choice_1_3 = 'b'"},
    "%time in an assignment": {"1.8": "sweep = %time {r: float(r) for r in range(3)}"},
    "%timeit -o": {"1.8": "timed = %timeit -o -n 10 sum(range(100))\nsweep = {n: float(timed.best) for n in range(3)}"},
    "shell output in a dictionary": {"1.3": "found = {}\nfound['letter'] = !echo b\nchoice_1_3 = found['letter'][0]"},
    "shell output in a list": {"1.3": "lines = !printf 'a\\nb\\n'\nchoice_1_3 = lines[-1]"},
    "a file written by the shell": {"1.3": ["!echo b > choice.txt", "choice_1_3 = open('choice.txt').read().strip()"]},
    "%%writefile and import": {"1.7": ["%%writefile losses.py\nimport numpy as np\n" + _MSE, "from losses import mean_squared_error"]},
    "%%writefile and %run": {"1.7": ["%%writefile losses.py\nimport numpy as np\n" + _MSE, "%run losses.py"]},
    "%%bash writes what is read": {"1.3": ["%%bash\necho -n b > letter", "choice_1_3 = open('letter').read()"]},
    "%env": {"1.3": ["%env LETTER=b", "import os\nchoice_1_3 = os.environ['LETTER']"]},
    "%cd into a new folder": {"1.3": ["import os\nos.makedirs('work', exist_ok=True)\n%cd work", "open('x', 'w').write('b')", "choice_1_3 = open('x').read()"]},
    "user_ns": {"1.3": "get_ipython().user_ns['choice_1_3'] = 'b'"},
    "user_ns.update in another cell": {"1.3": ["get_ipython().user_ns.update(letter='b')", "choice_1_3 = letter"]},
    "run_cell": {"1.3": "get_ipython().run_cell(\"choice_1_3 = 'b'\")"},
    "push": {"1.3": "get_ipython().push({'choice_1_3': 'b'})"},
    "the last value": {"1.3": ["'b'", "choice_1_3 = _"]},
    "a value behind input": {"1.3": "choice_1_3 = input('Which letter? ') or 'b'"},
    "await": {"1.8": "import asyncio\nasync def measure(r):\n    await asyncio.sleep(0)\n    return float(r)\nsweep = {r: await measure(r) for r in (1, 2, 3)}"},
    "gather": {"1.8": "import asyncio\nasync def measure(r):\n    await asyncio.sleep(0.01)\n    return float(r)\nvalues = await asyncio.gather(*map(measure, range(3)))\nsweep = dict(enumerate(values))"},
    "a task over two cells": {"1.8": ["import asyncio\nasync def work():\n    await asyncio.sleep(0.05)\n    return {n: float(n) for n in range(3)}\ntask = asyncio.create_task(work())", "sweep = await task"]},
    "a task's result later": {"1.8": ["import asyncio\nasync def work():\n    await asyncio.sleep(0.05)\n    return {n: float(n) for n in range(3)}\ntask = asyncio.ensure_future(work())", "sweep = task.result()"]},
    "a queue over cells": {"1.8": ["import asyncio\nqueue = asyncio.Queue()", "for n in range(3):\n    await queue.put(float(n))", "sweep = {}\nwhile not queue.empty():\n    sweep[len(sweep)] = await queue.get()"]},
    "asyncio.run": {"1.8": "import asyncio\nasync def main():\n    return {n: float(n) for n in range(3)}\nsweep = asyncio.run(main())"},
    "run_until_complete": {"1.8": "import asyncio\nasync def main():\n    return {n: float(n) for n in range(3)}\nsweep = asyncio.get_event_loop().run_until_complete(main())"},
    "annotations from the future in another cell": {"1.7": ["from __future__ import annotations", _MSE.replace("(y, t)", "(y: Array, t: Array) -> NotDefinedAnywhere")]},
    "annotations from the future in the same cell": {"1.7": "from __future__ import annotations\n" + _MSE.replace("(y, t)", "(y: Vector, t: Vector) -> Number")},
    "an answer above its stub": {"1.5": [RIGHT["1.5"], "def step(x):\n    raise NotImplementedError('Exercise 1.5')\n\n\ndef sigmoid(x):\n    raise NotImplementedError('Exercise 1.5')"]},
    "a value above its stub": {"1.3": ["choice_1_3 = 'b'", "choice_1_3 = None"]},
    "a class above its stub": {"1.9": [RIGHT["1.9"], "class Square:\n    def forward(self, x):\n        raise NotImplementedError('Exercise 1.9')\n\n    def backward(self, g):\n        raise NotImplementedError('Exercise 1.9')"]},
    "half an answer above the stub": {"1.5": [_STEP, "def step(x):\n    raise NotImplementedError('Exercise 1.5')\n\n" + _SIGMOID]},
    "an import that fails above the answer": {"1.5": f"import seaborn as sns\nfrom torch import nn\nsns.set()\n{RIGHT['1.5']}"},
    "a Colab line above the answer": {"1.7": f"from google.colab import drive\ndrive.mount('/content/drive')\n{_MSE}"},
    "a Colab folder above the answer": {"1.8": "import os\nos.chdir('/content/drive/MyDrive')\nsweep = {n: float(n) for n in range(3)}"},
    "data in the cloud above the answer": {"1.7": f"import pandas as pd\ntable = pd.read_csv('/content/sample_data/california_housing_test.csv')\nprint(table.head())\n{_MSE}"},
    "a plot with seaborn below the answer": {"1.8": "import seaborn as sns\nsweep = {n: float(n) for n in range(3)}\nsns.lineplot(x=list(sweep), y=list(sweep.values()))"},
    "a test that fails above the answer": {"1.10": f"assert False, 'todo'\n{RIGHT['1.10']}"},
    "one line a cell": {"1.5": [_STEP, "", _SIGMOID, "step(np.array([1.0]))"]},
    "a helper in another cell": {"1.7": ["def _check(y, t):\n    if len(y) != len(t):\n        raise ValueError('lengths')", "def mean_squared_error(y, t):\n    _check(y, t)\n    return np.mean((y - t) ** 2)"]},
    "a helper defined again": {"1.7": ["def square(v):\n    return v", "def mean_squared_error(y, t):\n    if len(y) != len(t): raise ValueError\n    return np.mean(square(y - t))", "def square(v):\n    return v ** 2"]},
    "a helper below": {"1.7": ["def mean_squared_error(y, t):\n    return _loss(y, t)", "def _loss(y, t):\n    if len(y) != len(t): raise ValueError\n    return np.mean((y - t) ** 2)"]},
    "global state": {"1.7": "calls = 0\ndef mean_squared_error(y, t):\n    global calls\n    calls += 1\n    if len(y) != len(t): raise ValueError\n    return np.mean((y - t) ** 2)"},
    "a closure": {"1.5": "def make(f):\n    cache = {}\n    def inner(x):\n        nonlocal cache\n        cache['n'] = cache.get('n', 0) + 1\n        return f(x)\n    return inner\nstep = make(lambda x: np.heaviside(x, 0))\nsigmoid = make(lambda x: 1 / (1 + np.exp(-x)))"},
    "methods": {"1.5": "class Activations:\n    @staticmethod\n    def step(x):\n        return 1.0 * (x > 0)\n    def sigmoid(self, x):\n        return 1 / (1 + np.exp(-x))\nstep, sigmoid = Activations.step, Activations().sigmoid"},
    "inheritance": {"1.9": ["class Base:\n    def forward(self, x):\n        self.x = x\n        return self.f(x)\n    def backward(self, g):\n        return g * self.df(self.x)", "class Square(Base):\n    f = staticmethod(lambda x: x * x)\n    def df(self, x):\n        return 2 * x"]},
    "slots and properties": {"1.9": "class Square:\n    __slots__ = ('_x',)\n    @property\n    def slope(self):\n        return 2 * self._x\n    def forward(self, x):\n        self._x = x\n        return x ** 2\n    def backward(self, g):\n        return self.slope * g"},
    "a class built by type": {"1.9": "Square = type('Square', (), {'forward': lambda s, x: setattr(s, 'x', x) or x * x, 'backward': lambda s, g: 2 * s.x * g})"},
    "a decorator with arguments": {"1.7": "import functools\ndef logged(level):\n    def wrap(f):\n        @functools.wraps(f)\n        def inner(*a, **k):\n            return f(*a, **k)\n        return inner\n    return wrap\n@logged(level=2)\n" + _MSE},
    "a cached function": {"1.10": "import functools\n@functools.lru_cache\ndef one():\n    return 1.0\n" + RIGHT["1.10"].replace("w - rate", "w - one() * rate")},
    "vectorised": {"1.5": "step = np.vectorize(lambda v: float(v > 0))\n@np.vectorize\ndef sigmoid(v):\n    return 1 / (1 + np.exp(-v))"},
    "a walrus": {"1.8": "sweep = {n: half for n in range(3) if (half := n / 2) >= 0}"},
    "match": {"1.5": "def one(v):\n    match bool(v > 0):\n        case True:\n            return 1.0\n        case _:\n            return 0.0\ndef step(x):\n    return np.array([one(v) for v in x])\n\n" + _SIGMOID},
    "f-strings": {"1.3": "letters = {'k': 'b'}\nwidth = 1\nchoice_1_3 = f\"{letters['k']:>{width}}\"\nprint(f'{choice_1_3!r:^5} {{}} {1 + 1 = }')"},
    "star imports": {"1.5": "from numpy import *\ndef step(x):\n    return where(asarray(x) > 0, 1.0, 0.0)\ndef sigmoid(x):\n    return 1 / (1 + exp(-asarray(x)))"},
    "an import inside": {"1.5": "def step(x):\n    import numpy\n    return numpy.where(x > 0, 1, 0)\n\n" + _SIGMOID},
    "conditional imports": {"1.5": ["try:\n    import cupy as xp\nexcept ImportError:\n    import numpy as xp", "def step(x):\n    return xp.where(x > 0, 1.0, 0.0)\n\ndef sigmoid(x):\n    return 1 / (1 + xp.exp(-x))"]},
    "unpacking": {"1.8": "(a, *rest), last = ([0.1, 0.2], 0.3)\nsweep = dict(zip('abc', [a, *rest, last]))"},
    "a generator": {"1.8": "def values():\n    n = 0\n    while n < 3:\n        yield n, float(n)\n        n += 1\nsweep = {**dict(values())}"},
    "typed": {"1.7": "from typing import Sequence, Union, TypeAlias\nVector: TypeAlias = np.ndarray\ndef mean_squared_error(y: 'Vector', t: Vector | list) -> float:\n    if len(y) != len(t): raise ValueError\n    return float(np.mean((y - t) ** 2))"},
    "Korean names": {"1.7": "def 오차(y, t):\n    if len(y) != len(t): raise ValueError('길이가 다릅니다')\n    return np.mean((y - t) ** 2)\nmean_squared_error = 오차"},
    "Greek names": {"1.10": "def descend(gradient, start, η, steps):\n    w = np.array(start)\n    for _ in range(steps):\n        w = w - η * gradient(w)\n    return w"},
    "a long docstring": {"1.7": '"""Notes with `%time` and !ls and check("1.3", \'a\')."""\n' + _MSE.replace("\n", '\n    """Return the error.\n\n    %timeit here\n    !ls there\n    """\n', 1)},
    "comments around": {"1.3": "#%%time\n# !pip install x\nchoice_1_3 = 'b'  # %time, see np.exp?\n# choice_1_3 = 'a'"},
    "errors raised by hand": {"1.7": "class ShapeError(ValueError):\n    pass\ndef mean_squared_error(y, t):\n    if np.shape(y) != np.shape(t):\n        raise ShapeError(f'{np.shape(y)} != {np.shape(t)}') from None\n    return ((y - t) ** 2).mean()"},
    "NumPy's errors raised": {"1.5": "np.seterr(all='raise')\ndef step(x):\n    return (x > 0) + 0.0\ndef sigmoid(x):\n    with np.errstate(all='ignore'):\n        return 1 / (1 + np.exp(-x))"},
    "prints in every call": {"1.10": RIGHT["1.10"].replace("    for", "    print('start', start)\n    for")},
    "a progress bar in the answer": {"1.10": "from tqdm import tqdm\ndef descend(gradient, start, rate, steps):\n    w = start\n    for _ in tqdm(range(steps)):\n        w = w - rate * gradient(w)\n    return w"},
    "a warning in the answer": {"1.7": "import warnings\n" + _MSE.replace("    return", "    warnings.warn('careful')\n    return")},
    "a figure in the answer": {"1.8": "import matplotlib.pyplot as plt\nsweep = {}\nfor r in (0.1, 0.2, 0.3):\n    plt.plot([r, 2 * r])\n    sweep[r] = r\nplt.savefig('sweep.png')\nplt.show()"},
    "pandas all the way": {"1.8": "import pandas as pd\ntable = pd.DataFrame({'rate': [0.1, 0.2, 0.3], 'error': [3.0, 2.0, 1.0]})\nsweep = table.set_index('rate')['error'].to_dict()"},
    "saved and loaded again": {"1.8": ["np.savez('sweep.npz', rate=[1, 2, 3], error=[0.3, 0.2, 0.1])", "loaded = np.load('sweep.npz')", "sweep = {int(r): float(e) for r, e in zip(loaded['rate'], loaded['error'])}"]},
    "pickled": {"1.8": ["import pickle\nwith open('sweep.pkl', 'wb') as f:\n    pickle.dump({1: 0.1, 2: 0.2, 3: 0.3}, f)", "with open('sweep.pkl', 'rb') as f:\n    sweep = pickle.load(f)"]},
    "JSON on disk": {"1.8": ["import json\njson.dump({'a': 0.1, 'b': 0.2, 'c': 0.3}, open('s.json', 'w'))", "sweep = json.load(open('s.json'))"]},
    "a process pool": {"1.8": "from multiprocessing import Pool\ndef half(n):\n    return n / 2\nwith Pool(2) as pool:\n    sweep = dict(zip(range(3), pool.map(half, range(3))))"},
    "an answer as text in a wrapper": {"1.3": "choice_1_3 = str(np.array(['a', 'b'])[1])"},
    "a capital letter": {"1.3": "choice_1_3 = ' B '"},
    "answers given in one cell": {"1.5": RIGHT["1.5"] + "\n\n" + _MSE, "1.7": None},
    "names with other names for a while": {"1.7": "def _mse(*args, **kwargs):\n    return 0\nmean_squared_error = _mse\n" + _MSE},
    "defaults and keywords": {"1.10": "def descend(gradient, start, rate=0.1, steps=100, *, verbose=False, **rest):\n    w = np.copy(start)\n    while steps > 0:\n        w, steps = w - rate * gradient(w), steps - 1\n    return w"},
    "recursion": {"1.10": "def descend(gradient, start, rate, steps):\n    if steps == 0:\n        return start\n    return descend(gradient, start - rate * gradient(start), rate, steps - 1)"},
    "a stub that was kept below in a comment": {"1.3": "choice_1_3 = 'b'\n# choice_1_3 = None\nif False:\n    choice_1_3 = None"},
    "exec of a text": {"1.7": "source = '''" + _MSE.replace("'lengths differ'", '"lengths"') + "'''\nexec(source)"},
    "inspect and getsource": {"1.7": _MSE + "\nimport inspect\nassert 'np.mean' in inspect.getsource(mean_squared_error)"},
    "a tuple of answers": {"1.5": "step, sigmoid = (lambda x: (x > 0) * 1.0), (lambda x: 1 / (1 + np.exp(-x)))"},
    "the course's own numbers type": {"1.8": "from fractions import Fraction\nfrom decimal import Decimal\nsweep = {Fraction(n, 3): float(Decimal(n) / 3) for n in range(3)}"},
}  # fmt: skip


def odd() -> list[Case]:
    """Return the notebooks, all of which get full marks."""
    before = _BEFORE | odd_habits.BEFORE
    found = [_case(f"before: {name}", cells(first=source)) for name, source in before.items()]
    answers = _ANSWERS | odd_habits.ANSWERS
    found += [_case(f"answer: {name}", _answered(given)) for name, given in answers.items()]
    whole = _moved() | _saved() | odd_habits.moved() | odd_habits.saved()
    found += [_case(name, content) for name, content in whole.items()]
    return found


def _case(name: str, content: list[dict] | dict | bytes) -> Case:
    return Case(name, "honest", content if isinstance(content, bytes) else dump(content))


def _answered(given: dict[str, str | list[str] | None]) -> list[dict]:
    """Return a page with some answers in other forms; a list means several cells."""
    page = cells()
    for id, sources in given.items():
        place = next(k for k, cell in enumerate(page) if cell["source"] == RIGHT[id])
        if sources is None:
            del page[place]
            continue
        listed = [sources] if isinstance(sources, str) else sources
        page[place : place + 1] = [code_cell(source) for source in listed]
    return page


def _moved() -> dict[str, list[dict] | dict]:
    """Return pages whose cells were run in a different order."""
    page = cells()
    numbered = [
        {**cell, "execution_count": n}
        for n, cell in enumerate(page, 1)
        if cell["cell_type"] == "code"
    ]
    upside_down = [{**cell, "execution_count": 50 - n} for n, cell in enumerate(reversed(numbered))]
    constant = _answered({"1.8": ["sweep = {n: n * rate for n in range(3)}", "rate = 0.5"]})
    for cell, count in zip(
        [c for c in constant if c["cell_type"] == "code"],
        (1, 2, 3, 4, 5, 6, 8, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17),
        strict=False,
    ):
        cell["execution_count"] = count
    imports_last = [c for c in page if "import numpy" not in c["source"]] + [
        code_cell("import numpy as np")
    ]
    trapped = _answered(
        {"1.8": ["sweep = dict(table)", "table = [(n, float(n)) for n in range(3)]"]}
    )
    stub = "def step(x):\n    raise NotImplementedError\n\ndef sigmoid(x):\n    raise NotImplementedError"
    return {
        "cells upside down with counts": upside_down,
        "a constant run before the cell above it": constant,
        "imports in the last cell": imports_last,
        "a cell that needs the next one": trapped,
        "answers collected at the top": [c for c in page if c["source"] in RIGHT.values() or c["source"].startswith("from helpers")]
        + [c for c in page if c["source"] not in RIGHT.values() and not c["source"].startswith("from helpers")],
        "answers collected at the end": [c for c in page if c["source"] not in RIGHT.values()] + [c for c in page if c["source"] in RIGHT.values()],
        "the page pasted below its stubs": [*(code_cell(stub) if c["source"] == RIGHT["1.5"] else c for c in page), *page],
        "the page pasted above its stubs": [*page, *(code_cell(stub) if c["source"] == RIGHT["1.5"] else c for c in page if not c["source"].startswith("check"))],
        "checks called through the module": [{**c, "source": c["source"].replace("check(", "helpers.check(")} if c["source"].startswith("check(") else c for c in page],
        "a loop over all checks": [c for c in page if not c["source"].startswith("check(")]
        + [code_cell("for id, answers in {" + ", ".join(f"'{id}': ({names},)" for id, names in NAMES.items()) + "}.items():\n    check(id, *answers)")],
        "another chapter's cells below": [*page, text_cell("### Exercise 2.3 — PReLU"), code_cell("def prelu(x):\n    raise NotImplementedError('Exercise 2.3')"), code_cell('check("2.3", prelu)')],
        "check with an answer under another name beside a stub": _renamed_beside_a_stub(stub),
    }  # fmt: skip


def _renamed_beside_a_stub(stub: str) -> list[dict]:
    page = cells({"1.5": stub})
    place = next(k for k, cell in enumerate(page) if cell["source"] == stub)
    page.insert(
        place + 1,
        code_cell(
            RIGHT["1.5"].replace("def step", "def my_step").replace("def sigmoid", "def my_sigmoid")
        ),
    )
    page[place + 2]["source"] = 'check("1.5", my_step, my_sigmoid)'
    return page


def _saved() -> dict[str, dict | bytes]:
    """Return a correct page as each system saves it."""
    lines = [{**c, "source": c["source"].splitlines(keepends=True)} for c in cells()]

    def with_metadata(make) -> list[dict]:
        return [{**cell, "metadata": make(number, cell)} for number, cell in enumerate(lines)]

    def is_code(cell: dict) -> bool:
        return cell["cell_type"] == "code"

    python = {"name": "python3", "display_name": "Python 3"}
    info = {
        "name": "python",
        "version": "3.10.12",
        "mimetype": "text/x-python",
        "codemirror_mode": {"name": "ipython", "version": 3},
        "pygments_lexer": "ipython3",
        "nbconvert_exporter": "python",
        "file_extension": ".py",
    }
    colab = with_metadata(
        lambda n, c: {
            "id": f"aZ{n}_x",
            **(
                {
                    "colab": {"base_uri": "https://localhost:8080/", "height": 34},
                    "outputId": "52c1-d0",
                }
                if is_code(c)
                else {}
            ),
        }
    )
    code = with_metadata(lambda n, c: {"vscode": {"languageId": "python"}} if is_code(c) else {})
    kaggle = with_metadata(
        lambda n, c: {
            "_uuid": "8f2839f2",
            "_cell_guid": "b1076dfc",
            "trusted": True,
            "execution": {
                "iopub.status.busy": "2026-05-01T10:00:00.0Z",
                "shell.execute_reply": "2026-05-01T10:00:01.0Z",
            },
        }
    )
    deepnote = with_metadata(
        lambda n, c: {
            "cell_id": f"{n:032x}",
            "deepnote_cell_type": "code" if is_code(c) else "markdown",
            "source_hash": "b623e53d",
            "execution_start": 1714550000000,
            "execution_millis": 3,
            "deepnote_to_be_reexecuted": False,
        }
    )
    deepnote += [
        {
            "cell_type": "markdown",
            "metadata": {"created_in_deepnote_cell": True, "deepnote_cell_type": "markdown"},
            "source": "<a href='https://deepnote.com'>Created in Deepnote</a>",
        }
    ]
    deepnote.insert(
        2,
        {
            "cell_type": "code",
            "metadata": {"deepnote_cell_type": "sql", "deepnote_variable_name": "df_1"},
            "source": "df_1 = _deepnote_execute_sql('select 1', 'SQL_ALCHEMY')\ndf_1",
            "outputs": [],
            "execution_count": None,
        },
    )
    pycharm = with_metadata(
        lambda n, c: {
            "collapsed": False,
            "ExecuteTime": {"end_time": "2026-05-01", "start_time": "2026-05-01"},
            "pycharm": {"name": "#%%\n", "is_executing": False},
        }
    )
    lab = with_metadata(
        lambda n, c: {
            "tags": [],
            "jp-MarkdownHeadingCollapsed": True,
            "editable": True,
            "slideshow": {"slide_type": "slide"},
        }
    )
    cocalc = with_metadata(lambda n, c: {"cocalc": {"outputs": {}}, "collapsed": False})
    widgets = {
        "application/vnd.jupyter.widget-state+json": {
            "a1": {"model_module": "@jupyter-widgets/base", "state": {}}
        }
    }
    return {
        "saved by Colab": notebook(colab, minor=0, colab={"provenance": [], "gpuType": "T4", "collapsed_sections": []}, accelerator="GPU", language_info={"name": "python"}),
        "saved by Colab with widgets": notebook(colab, minor=0, colab={"provenance": []}, widgets=widgets),
        "saved by VS Code": {"cells": code, "metadata": {"kernelspec": {"display_name": ".venv", "language": "python", "name": "python3"}, "language_info": info}, "nbformat": 4, "nbformat_minor": 2},
        "saved by VS Code without a kernel": {"cells": code, "metadata": {"language_info": {"name": "python"}, "orig_nbformat": 4}, "nbformat": 4, "nbformat_minor": 2},
        "saved by Kaggle": json.dumps({"metadata": {"kernelspec": python, "language_info": info, "kaggle": {"accelerator": "none", "dataSources": [], "isInternetEnabled": True, "language": "python", "sourceType": "notebook", "isGpuEnabled": False}}, "nbformat_minor": 4, "nbformat": 4, "cells": kaggle}).encode(),
        "saved by Deepnote": {"cells": deepnote, "nbformat": 4, "nbformat_minor": 0, "metadata": {"deepnote": {}, "orig_nbformat": 2, "deepnote_notebook_id": "0f", "deepnote_execution_queue": []}},
        "saved by PyCharm": notebook(pycharm, minor=0, kernelspec={"name": "pycharm-1b2", "language": "python", "display_name": "PyCharm (homework)"}),
        "saved by JupyterLab": notebook(lab, minor=5, language_info=info, toc={"base_numbering": 1}),
        "saved by CoCalc": notebook(cocalc, minor=4, kernelspec={"display_name": "Python 3 (system-wide)", "language": "python", "metadata": {"cocalc": {"priority": 100}}, "name": "python3"}),
        "saved by SageMaker": notebook(lines, minor=4, instance_type="ml.t3.medium", kernelspec={"name": "python3__SAGEMAKER_INTERNAL__arn"}),
        "saved by JupyterLite": notebook(lines, minor=4, kernelspec={"name": "python", "display_name": "Python (Pyodide)", "language": "python"}),
        "saved by nbdev": {**notebook(lines, minor=2), "metadata": {"jupytext": {"split_at_heading": True}, "kernelspec": python}},
        "with outputs of every kind": notebook([{**c, "outputs": [{"output_type": "execute_result", "execution_count": 3, "metadata": {}, "data": {"text/plain": ["1"], "image/png": "iVBORw0KGgo="}}, {"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["\u001b[0;31mE\u001b[0m"]}], "execution_count": 3} if is_code(c) else c for c in lines]),
        "sorted keys and tabs": json.dumps(notebook(lines), indent="\t", sort_keys=True).encode(),
        "escaped characters": json.dumps(notebook(cells(first="학습률 = '✓ ∂'")), ensure_ascii=True).encode(),
    }  # fmt: skip
