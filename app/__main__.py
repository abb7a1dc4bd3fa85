"""``python -m app`` is ``zhaiyao``."""

from app.cli import main

main()
