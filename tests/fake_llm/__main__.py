"""A fake OpenAI-compatible endpoint to use by hand."""

import argparse
import sys
import threading

from tests.fake_llm import FakeLLM, Recipes


def main() -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fake_llm",
        description="A fake OpenAI-compatible endpoint: invented summaries in the form that is asked for, and faults.",
    )
    parser.add_argument("--port", type=int, default=0, help="where to listen on 127.0.0.1 (default: a free port)")
    parser.add_argument("--latency", type=float, default=0.0, metavar="SECONDS", help="before each answer (default: 0)")
    parser.add_argument(
        "--faults", type=float, default=0.0, metavar="SHARE", help="of calls that go wrong (default: 0)"
    )
    parser.add_argument("--seed", type=int, default=1, help="another seed has other faults (default: 1)")
    parser.add_argument("--rpm", type=int, help="requests per minute (default: no limit)")
    parser.add_argument("--tpm", type=int, help="tokens per minute (default: no limit)")
    parser.add_argument("--max-concurrent", type=int, help="requests at once (default: no limit)")
    arguments = parser.parse_args()

    fake = FakeLLM(
        latency=arguments.latency,
        recipes=Recipes(arguments.seed, arguments.faults),
        api_key="secret",
        rpm=arguments.rpm,
        tpm=arguments.tpm,
        max_concurrent=arguments.max_concurrent,
    )
    with fake.running(arguments.port):
        sys.stdout.write("".join(f"export {name}={value}\n" for name, value in fake.settings().items()))
        sys.stdout.flush()
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            answered = sum(request.delivered for request in fake.requests)
            sys.stdout.write(
                f"\n{len(fake.requests)} calls, {answered} of them answered, {fake.refused} over the limits\n"
            )


if __name__ == "__main__":
    main()
