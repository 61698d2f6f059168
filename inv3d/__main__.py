"""`python -m inv3d`, and what the command `inv3d` starts: signals are handled before anything else is imported."""

from inv3d.cli import signals


def main() -> None:
    """Run the command line."""
    signals.install()
    from inv3d.cli import app

    app.main()


if __name__ == "__main__":
    main()
