import sys

from brokle.cli.main import django_command

if __name__ == "__main__":
    django_command(sys.argv)
