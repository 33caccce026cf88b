"""Lists what a process has once for all its threads, by the names through which code touches it.

The one table of these: a name stands for itself and, with a dot at its end, for all below it.
"""

from __future__ import annotations

import sys
import types
from typing import Final, NamedTuple

from cascade_nb.graph.code.origin import is_followed
from cascade_nb.graph.effects.doubts import BY_CHANCE


class SharedState(NamedTuple):
    """A piece of state of the process.

    Attributes:
        words: how a sentence calls it, after "uses".
        changes: names through which it is changed. Drawing a random number changes a generator.
        reads: names through which it is only read, which tasks may do side by side.
        seeds: those among `changes` after which what is drawn is no chance any more.
        draws: whether what is read of it is chance.
    """

    words: str
    changes: frozenset[str]
    reads: frozenset[str] = frozenset()
    seeds: frozenset[str] = frozenset()
    draws: bool = False


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


STATES: Final[dict[str, SharedState]] = {
    "numpy.random": SharedState(
        "NumPy's global random state",
        _names("numpy.random. scipy.stats.*.rvs"),
        frozenset({BY_CHANCE}),  # see `draws_by_chance`; side by side it draws by chance as well
        seeds=_names("numpy.random.seed numpy.random.set_state"),
        draws=True,
    ),
    "random": SharedState(
        "the random module's global state",
        _names("random."),
        seeds=_names("random.seed random.setstate"),
        draws=True,
    ),
    "torch.random": SharedState(
        "torch's global random state",
        _names(
            "torch.manual_seed torch.seed torch.set_rng_state torch.random. torch.cuda.manual_seed"
            " torch.cuda.manual_seed_all torch.cuda.seed torch.rand torch.randn torch.randint"
            " torch.randperm torch.rand_like torch.randn_like torch.randint_like torch.normal"
            " torch.bernoulli torch.multinomial torch.poisson torch.nn.init. torch.nn.Linear"
            " torch.nn.Bilinear torch.nn.Conv1d torch.nn.Conv2d torch.nn.Conv3d torch.nn.RNN"
            " torch.nn.LSTM torch.nn.GRU torch.nn.Embedding torch.nn.MultiheadAttention"
            " torch.nn.Transformer torch.nn.functional.dropout torch.utils.data.random_split"
        ),
        seeds=_names("torch.manual_seed torch.random.manual_seed torch.cuda.manual_seed_all"),
        draws=True,
    ),
    "tensorflow.random": SharedState(
        "TensorFlow's global random state",
        _names("tensorflow.random. tensorflow.keras.utils.set_random_seed"),
        seeds=_names("tensorflow.random.set_seed tensorflow.keras.utils.set_random_seed"),
        draws=True,
    ),
    "polars.random": SharedState(
        "Polars' global random state",
        _names("polars.set_random_seed"),
        seeds=_names("polars.set_random_seed"),
    ),
    "pyplot": SharedState(
        "pyplot's figures and settings",
        _names(
            "matplotlib.pyplot. matplotlib.pylab. seaborn. pandas.plotting. matplotlib.use"
            " matplotlib.rc matplotlib.rc_context matplotlib.rcdefaults matplotlib.rc_file"
            " matplotlib.style. matplotlib.rcParams= matplotlib.rcParams.update"
            " matplotlib.colormaps.register matplotlib.colormaps.unregister"
            " matplotlib.font_manager.fontManager.addfont matplotlib.units.registry="
        ),
        _names("matplotlib.rcParams"),
    ),
    "folder": SharedState(
        "the current folder of the process",
        _names("os.chdir os.fchdir contextlib.chdir"),
        _names("os.getcwd os.getcwdb pathlib.Path.cwd"),
    ),
    "environment": SharedState(
        "the environment of the process",
        _names(
            "os.putenv os.unsetenv os.environ= os.environ.update os.environ.setdefault"
            " os.environ.pop os.environ.popitem os.environ.clear os.environb="
        ),
        _names("os.environ os.environ. os.getenv os.environb os.environb. os.getenvb"),
    ),
    "streams": SharedState(
        "the output streams of the process",
        _names(
            "contextlib.redirect_stdout contextlib.redirect_stderr sys.stdout= sys.stderr="
            " sys.stdin= os.dup2"
        ),
    ),
    "warnings": SharedState(
        "the warning filters of the process",
        _names(
            "warnings.catch_warnings warnings.filterwarnings warnings.simplefilter"
            " warnings.resetwarnings warnings.showwarning= warnings.formatwarning="
            " warnings.filters="
            " warnings.filters."
        ),
    ),
    "locale": SharedState(
        "the locale of the process",
        _names("locale.setlocale locale.resetlocale"),
        _names("locale. time.strptime"),
    ),
    "signals": SharedState(
        "the signal handlers of the process",
        _names(
            "signal.signal signal.alarm signal.setitimer signal.siginterrupt"
            " signal.pthread_sigmask signal.set_wakeup_fd"
        ),
    ),
    "recursion": SharedState("the recursion limit", _names("sys.setrecursionlimit")),
    "switching": SharedState("the thread switch interval", _names("sys.setswitchinterval")),
    "hooks": SharedState(
        "the hooks of the interpreter",
        _names(
            "sys.excepthook= sys.displayhook= sys.unraisablehook= sys.breakpointhook= sys.settrace"
            " sys.setprofile sys.set_asyncgen_hooks sys.tracebacklimit= threading.excepthook="
            " threading.settrace threading.setprofile"
        ),
    ),
    "logging": SharedState(
        "the settings of logging",
        _names(
            "logging.basicConfig logging.disable logging.captureWarnings logging.config."
            " logging.addLevelName logging.setLoggerClass logging.setLogRecordFactory"
            " logging.raiseExceptions="
        ),
    ),
    "umask": SharedState("the file mode mask of the process", _names("os.umask")),
    "collector": SharedState(
        "the garbage collector's settings",
        _names("gc.disable gc.enable gc.freeze gc.set_threshold gc.set_debug gc.callbacks."),
    ),
    "timezone": SharedState("the time zone of the process", _names("time.tzset")),
    "sockets": SharedState("the default timeout of sockets", _names("socket.setdefaulttimeout")),
    "temporary files": SharedState(
        "the folder for temporary files",
        _names("tempfile.tempdir="),
        _names("tempfile."),
    ),
    "loops": SharedState("asyncio's way to make loops", _names("asyncio.set_event_loop_policy")),
    "process": SharedState(
        "the rights, limits and ways to work of the process",
        _names(
            "os.nice os.setpriority os.sched_setaffinity os.setuid os.setgid os.seteuid os.setegid"
            " resource.setrlimit sys.set_int_max_str_digits threading.stack_size"
            " multiprocessing.set_start_method sys.dont_write_bytecode="
            " threadpoolctl.threadpool_limits dask.config.set"
        ),
    ),
    "registries": SharedState(
        "what is registered for the whole process",
        _names(
            "csv.register_dialect csv.unregister_dialect csv.field_size_limit copyreg.pickle"
            " copyreg.constructor sqlite3.register_adapter sqlite3.register_converter"
            " calendar.setfirstweekday mimetypes.add_type mimetypes.init codecs.register"
            " codecs.unregister codecs.register_error xml.etree.ElementTree.register_namespace"
            " shutil.register_archive_format shutil.register_unpack_format"
            " urllib.request.install_opener gettext.install gettext.textdomain"
            " gettext.bindtextdomain pandas.api.extensions. polars.api."
            " pyarrow.register_extension_type pyarrow.set_cpu_count pyarrow.set_io_thread_count"
        ),
    ),
    "pandas": SharedState(
        "pandas' options",
        _names(
            "pandas.set_option pandas.reset_option pandas.option_context pandas.options="
            " pandas.set_eng_float_format"
        ),
    ),
    "polars": SharedState(
        "Polars' settings",
        _names("polars.Config polars.Config. polars.config. polars.enable_string_cache"),
    ),
    "numpy.print": SharedState(
        "NumPy's settings",
        _names(
            "numpy.set_printoptions numpy.printoptions numpy.seterr numpy.seterrcall"
            " numpy.setbufsize numpy.set_string_function"
        ),
    ),
    "torch": SharedState(
        "torch's settings",
        _names(
            "torch.set_default_dtype torch.set_default_device torch.set_num_threads"
            " torch.use_deterministic_algorithms torch.set_printoptions torch.backends="
        ),
    ),
    # Tasks inherit the context variables of who started the run, and with them one context object.
    "decimal": SharedState(
        "decimal's context",
        _names(
            "decimal.getcontext decimal.setcontext decimal.DefaultContext decimal.DefaultContext="
        ),
    ),
    "patches": SharedState(
        "what is put in place of parts of libraries",
        _names("unittest.mock.patch unittest.mock.patch."),
    ),
    "sqlite": SharedState("SQLite files that are written", frozenset()),
    "imports": SharedState(
        "where modules are found",
        _names(
            "sys.path= sys.path.insert sys.path.append sys.path.extend sys.path.remove sys.path.pop"
            " sys.path.clear sys.path.reverse sys.path_hooks= sys.path_hooks. sys.meta_path="
            " sys.meta_path. sys.modules= sys.modules.pop sys.modules.update importlib.reload"
            " site.addsitedir sys.path.__iadd__"
        ),
    ),
    "arguments": SharedState(
        "the arguments of the process",
        _names(
            "sys.argv= sys.argv.append sys.argv.extend sys.argv.insert sys.argv.pop"
            " sys.argv.clear sys.argv.remove sys.argv.__iadd__"
        ),
    ),
}

_OF_LOGGERS: Final = _names(
    "addHandler removeHandler addFilter removeFilter setLevel propagate handlers filters disabled"
)


def sets_loggers(code: types.CodeType) -> bool:
    """Whether a body, or one inside it, that asks for a logger by its name may change that one."""
    inner = (one for one in code.co_consts if isinstance(one, types.CodeType))
    return not _OF_LOGGERS.isdisjoint(code.co_names) or any(map(sets_loggers, inner))


#: Below a name with a dot at its end in the table, what is no state: classes to make one's own of.
NOT_SHARED: Final = _names(
    "numpy.random.default_rng numpy.random.mtrand numpy.random.bit_generator numpy.random.test"
    " torch.random.fork_rng"
)


def is_of_a_library(name: str) -> bool:
    """Whether what has this full name is a part of a library or of Python."""
    root, _, rest = name.partition(".")
    module = sys.modules.get(root)
    return bool(rest) and module is not None and not is_followed(vars(module))
