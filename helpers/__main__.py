"""Run the workbook's commands with `python -m helpers`."""

from helpers.cli import main

raise SystemExit(main())
