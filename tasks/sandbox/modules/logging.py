"""Logs that are printed, from warnings on unless it is said otherwise."""

DEBUG = 10
INFO = 20
WARNING = 30
ERROR = 40
CRITICAL = 50
_LEAST = {"level": WARNING}


class Logger:
    def __init__(self, name, level=0):
        self.name = name
        self.level = level

    def setLevel(self, level):
        self.level = level

    def log(self, level, msg, *args, **_):
        if level >= (self.level or _LEAST["level"]):
            print(str(msg) % args if args else msg)

    def debug(self, msg, *args, **_):
        self.log(DEBUG, msg, *args)

    def info(self, msg, *args, **_):
        self.log(INFO, msg, *args)

    def warning(self, msg, *args, **_):
        self.log(WARNING, msg, *args)

    def error(self, msg, *args, **_):
        self.log(ERROR, msg, *args)

    def exception(self, msg, *args, **_):
        self.log(ERROR, msg, *args)

    def critical(self, msg, *args, **_):
        self.log(CRITICAL, msg, *args)


_root = Logger("root")


def getLogger(name=None):
    return Logger(name) if name else _root


def basicConfig(level=WARNING, **_):
    _LEAST["level"] = level


def debug(msg, *args, **_):
    _root.debug(msg, *args)


def info(msg, *args, **_):
    _root.info(msg, *args)


def warning(msg, *args, **_):
    _root.warning(msg, *args)


def error(msg, *args, **_):
    _root.error(msg, *args)


def exception(msg, *args, **_):
    _root.error(msg, *args)


def critical(msg, *args, **_):
    _root.critical(msg, *args)
