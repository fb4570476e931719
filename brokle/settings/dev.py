from brokle.settings.base import *

DEV = True
# Templates are read anew for every page, so that a saved one shows at once.
TEMPLATES[0]["APP_DIRS"] = False
TEMPLATES[0]["OPTIONS"]["loaders"] = [
    "django.template.loaders.filesystem.Loader",
    "django.template.loaders.app_directories.Loader",
]
