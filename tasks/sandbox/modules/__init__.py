"""Modules that evaluators may import and the interpreter lacks, in the part of the language that it runs.

No process of ours imports them: the sandbox gives their source to the interpreter beside the evaluator's, within its
limits. Each has a part of the standard library's module of its name, and is tested against that.
"""
