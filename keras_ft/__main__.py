"""`keras-ft`, or `python -m keras_ft`."""

from keras_ft.huge_pages import use_huge_pages


def main() -> None:
    """Run the command, in a process that is set up for it."""
    use_huge_pages()
    from keras_ft import cli  # not before: it takes a while, and the process may just have started again

    cli.main()


if __name__ == "__main__":
    main()
