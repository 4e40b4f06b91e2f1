"""What the commands say of themselves against what is written of them: every option of `skepd --help` is in skepd(8), every one of `skep --help`
and of each verb's --help in skep(1), all of them in the completion; every exit code of base/error.h is in skep(1). A verb may be a group
of others ("node": "node ls").

    docs.py [BUILD_DIR]      default build/debug, already built
"""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, sys.argv[1] if len(sys.argv) > 1 else "build/debug")
COMPLETION = "deploy/completion/skep.bash"
failures = []


def text(path):
    with open(os.path.join(ROOT, path)) as file:
        return file.read()


def complain(what):
    failures.append(what)


def help_of(program, *args):
    done = subprocess.run([os.path.join(BUILD, program), *args, "--help"], capture_output=True, text=True, timeout=30, check=True)
    return done.stdout


def options(told):
    """[(letter or None, long name)] of a --help text."""
    found = re.findall(r"^\s+(?:-(\w), )?--([a-z][a-z-]*)", told, re.M)
    if not found:
        complain(f"no option found in:\n{told}")
    return found


def man_flags(page):
    """The flags that a page in mdoc names: "Fl f" and "Fl -force", clustered letters ("Fl alq") one by one."""
    flags = set()
    for word in re.findall(r"Fl +(-?[A-Za-z][\w-]*)", page):
        flags |= {word} if word.startswith("-") else {*word}
    return flags


def check_man(name, page, told):
    """A switch with a letter may be shown by its letter alone."""
    flags = man_flags(page)
    for letter, long in options(told):
        if long not in ("help",) and f"-{long}" not in flags and (not letter or letter not in flags):
            complain(f"{name}: --{long} is not there")


def sections(page):
    """{verb: its part of skep(1)}: each begins with `.It Nm VERB` in COMMANDS; "node ls" of the group node is one by itself."""
    body = page[page.index(".Sh COMMANDS"):page.index(".Sh ENVIRONMENT")]
    parts = re.split(r"^\.It Nm ([\w-]+(?: [a-z]+)?)(?= |$)", body, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))


def check_skepd(completion):
    told = help_of("skepd")
    check_man("docs/man/skepd.8", text("docs/man/skepd.8"), told)
    offered = set(re.findall(r"--[a-z-]+", completion[completion.index("_skepd()"):]))
    for _, long in options(told):
        if f"--{long}" not in offered:
            complain(f"{COMPLETION}: skepd's --{long} is not offered")


def offered_by(completion, verb):
    """What __skep_flags echoes for a verb."""
    flags = completion[completion.index("__skep_flags()"):completion.index("_skep()")]
    for names, words in re.findall(r"^    (\S.*?)\) echo (.*) ;;$", flags, re.M):
        if verb in [name.strip(" '") for name in names.split("|")]:
            return set(words.split())
    return set()


def commands(told):
    """The names in the list of commands of a --help text."""
    return re.findall(r"^  ([\w-]+)  +\S", told[told.index("Commands:"):], re.M)


def check_verb(verb, parts, completion):
    """Its options, in skep(1) and in the completion; of a group those of its commands."""
    told = help_of("skep", *verb.split())
    if verb and verb not in parts:
        complain(f"docs/man/skep.1: {verb} is not there")
        return
    if verb and "Commands:" in told:
        for name in commands(told):
            check_verb(f"{verb} {name}", parts, completion)
        offered = re.search(rf"^    {verb}\) __skep_words '(.*)' \"\$current\" ;;", completion, re.M)
        if offered is None or set(offered[1].split()) != set(commands(told)):
            complain(f"{COMPLETION}: behind skep {verb} other commands are offered than there are")
        return
    if verb:
        check_man(f"docs/man/skep.1, {verb}", parts[verb], told)
    for _, long in options(told):
        if f"--{long}" not in offered_by(completion, verb):
            complain(f"{COMPLETION}: --{long} is not offered behind skep {verb}".rstrip())


def check_skep(completion):
    page, told = text("docs/man/skep.1"), help_of("skep")
    parts = sections(page)
    verbs = commands(told)
    listed = set(re.search(r"local verbs='(.*)'", completion)[1].split())
    check_man("docs/man/skep.1", page[:page.index(".Sh COMMANDS")], told)
    for verb in ("", *(verb for verb in verbs if verb != "help")):
        check_verb(verb, parts, completion)
    for verb in set(verbs) ^ listed:
        complain(f"{COMPLETION}: the verb {verb} is in one of completion and `skep --help` only")
    for verb in {part.split()[0] for part in parts} - set(verbs):
        complain(f"docs/man/skep.1: there is no verb {verb}")


def check_exit_codes():
    codes = set(re.findall(r"X\([A-Z_]+, -\d+, \d+, \d+, (\d+),", text("base/error.h")))
    page = text("docs/man/skep.1")
    listed = set(re.findall(r"^\.It (\d+)$", page[page.index(".Sh EXIT STATUS"):], re.M))
    if not codes:
        complain("base/error.h: no codes found")
    for code in sorted(codes ^ listed):
        complain(f"docs/man/skep.1: exit code {code} is {'missing' if code in codes else 'none of base/error.h'}")
    if "skep 1\nlists" not in text("docs/man/skepd.8"):
        complain("docs/man/skepd.8: it neither lists the exit codes nor points to skep(1)")


for needed in ("skep", "skepd"):
    if not os.path.exists(os.path.join(BUILD, needed)):
        sys.exit(f"docs.py: {os.path.join(BUILD, needed)} is not built")
script = text(COMPLETION)
check_skepd(script)
check_skep(script)
check_exit_codes()
print("\n".join(failures))
sys.exit(1 if failures else 0)
