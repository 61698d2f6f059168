"""Entry point of `inv3d` and `python -m inv3d`: installs the signal handlers before importing anything else."""

from inv3d.cli import signals


def main() -> None:
    """Run the command line."""
    signals.install()
    from inv3d.cli import app

    app.main()


if __name__ == "__main__":
    main()
