"""``python -m app.embedder``: vectors for texts, line by line, until the input ends; see ``process``."""

import json
import os
import sys

from app.embedder.model import Kind, literal, load


def main() -> None:
    """Answer every line until there are no more."""
    os.nice(10)
    model = load()
    for line in sys.stdin:
        vectors = model.embed(json.loads(line), Kind.PASSAGE)
        sys.stdout.write(json.dumps([literal(vector) for vector in vectors.tolist()]) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
