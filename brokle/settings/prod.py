from brokle.settings.base import *
