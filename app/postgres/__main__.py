"""``python -m app.postgres DATA_DIR [--tests]``: the supervisor, started by ``EmbeddedPostgres``."""

import sys

from app.postgres.supervisor import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
