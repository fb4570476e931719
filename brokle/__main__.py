from brokle.cli.main import run

run()
