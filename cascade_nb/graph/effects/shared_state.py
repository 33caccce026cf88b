"""Lists what a process has once for all its threads, by the names through which code touches it.

The one table of these: a name stands for itself and, with a dot at its end, for all below it.
"""

from __future__ import annotations

import types
from typing import Final, NamedTuple


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
        _names("sklearn.random"),  # see `draws_by_chance`; side by side it draws by chance as well
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
            " torch.bernoulli torch.multinomial torch.poisson"
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
    "pyplot": SharedState(
        "pyplot's figures and settings",
        _names(
            "matplotlib.pyplot. matplotlib.pylab. seaborn. pandas.plotting. matplotlib.use"
            " matplotlib.rc matplotlib.rc_context matplotlib.rcdefaults matplotlib.rc_file"
            " matplotlib.style. matplotlib.rcParams= matplotlib.rcParams.update"
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
        ),
    ),
    "locale": SharedState(
        "the locale of the process",
        _names("locale.setlocale locale.resetlocale"),
        _names("locale. time.strptime"),
    ),
    "signals": SharedState(
        "the signal handlers of the process",
        _names("signal.signal signal.alarm signal.setitimer signal.siginterrupt"),
    ),
    "recursion": SharedState("the recursion limit", _names("sys.setrecursionlimit")),
    "switching": SharedState("the thread switch interval", _names("sys.setswitchinterval")),
    "hooks": SharedState(
        "the hooks of the interpreter",
        _names("sys.excepthook= sys.displayhook= threading.excepthook= builtins.print="),
    ),
    "logging": SharedState(
        "the settings of logging",
        _names("logging.basicConfig logging.disable logging.captureWarnings logging.config."),
    ),
    "umask": SharedState("the file mode mask of the process", _names("os.umask")),
    "collector": SharedState(
        "the garbage collector's settings",
        _names("gc.disable gc.enable gc.freeze gc.set_threshold"),
    ),
    "timezone": SharedState("the time zone of the process", _names("time.tzset")),
    "sockets": SharedState("the default timeout of sockets", _names("socket.setdefaulttimeout")),
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
        _names("numpy.set_printoptions numpy.printoptions numpy.seterr numpy.seterrcall"),
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
        "what mock.patch puts in place of others",
        _names("unittest.mock.patch unittest.mock.patch."),
    ),
    "sqlite": SharedState("SQLite files that are written", frozenset()),
    "imports": SharedState(
        "where modules are found",
        _names(
            "sys.path= sys.path.insert sys.path.append sys.path.extend sys.path.remove sys.path.pop"
            " sys.path.clear sys.path.reverse sys.path_hooks= sys.path_hooks. sys.meta_path="
            " sys.meta_path. sys.modules= sys.modules.pop sys.modules.update importlib.reload"
            " site.addsitedir"
        ),
    ),
    "arguments": SharedState("the arguments of the process", _names("sys.argv=")),
}

_OF_SKLEARN: Final = _names(
    "train_test_split shuffle resample permutation_importance ShuffleSplit StratifiedShuffleSplit"
    " GroupShuffleSplit RandomizedSearchCV RandomForestClassifier RandomForestRegressor"
    " ExtraTreesClassifier ExtraTreesRegressor GradientBoostingClassifier GradientBoostingRegressor"
    " DecisionTreeClassifier DecisionTreeRegressor BaggingClassifier BaggingRegressor"
    " AdaBoostClassifier AdaBoostRegressor IsolationForest KMeans MiniBatchKMeans GaussianMixture"
    " MLPClassifier MLPRegressor SGDClassifier SGDRegressor Perceptron TSNE FastICA"
    " LatentDirichletAllocation make_classification make_regression make_blobs make_moons"
    " make_circles"
)


def draws_by_chance(name: str, code: types.CodeType) -> bool:
    """Whether a body uses what of scikit-learn draws from NumPy's global state, by this full name,
    and names no `random_state` for it.
    """
    root, _, rest = name.partition(".")
    drawn = root == "sklearn" and rest.rpartition(".")[2] in _OF_SKLEARN
    return drawn and not _names_anywhere(code, "random_state")


def _names_anywhere(code: types.CodeType, name: str) -> bool:
    held = [one for one in code.co_consts if isinstance(one, tuple)]
    if name in (*code.co_names, *code.co_varnames, *code.co_consts, *sum(held, ())):
        return True
    inner = (one for one in code.co_consts if isinstance(one, types.CodeType))
    return any(_names_anywhere(one, name) for one in inner)


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

#: What nobody can know beforehand, in words, by the names of what it comes from. One with
#: parentheses counts only where it is called without arguments.
DOUBTS: Final[dict[str, frozenset[str]]] = {
    "draws random numbers": _names(
        "numpy.random.default_rng() numpy.random.RandomState() numpy.random.SeedSequence()"
        " random.Random() random.SystemRandom secrets. uuid.uuid1 uuid.uuid4 uuid.uuid7 os.urandom"
        " os.getrandom"
    ),
    "reads the clock": _names(
        "time.time time.time_ns time.perf_counter time.perf_counter_ns time.process_time"
        " time.process_time_ns time.thread_time"
        " time.localtime() time.gmtime() time.ctime() time.asctime() time.clock_gettime"
        " datetime.datetime.now datetime.datetime.utcnow datetime.datetime.today"
        " datetime.date.today pandas.Timestamp.now pandas.Timestamp.today pandas.Timestamp.utcnow"
    ),
    "waits for somebody to type": _names("builtins.input getpass.getpass sys.stdin sys.stdin."),
    "uses hash() or id(), which differ in each process": _names("builtins.hash builtins.id"),
    "reads what each thread has for itself": frozenset(),
    "asks about this machine": _names(
        "platform. os.cpu_count os.process_cpu_count os.getpid os.getppid os.uname os.getlogin"
        " os.getuid os.getloadavg os.statvfs socket.gethostname socket.getfqdn getpass.getuser"
        " multiprocessing.cpu_count psutil. shutil.disk_usage torch.cuda.is_available"
        " torch.cuda.device_count uuid.getnode"
    ),
    "asks the network": _names(
        "requests. httpx. aiohttp. urllib3. urllib.request. http.client. ftplib. smtplib. imaplib."
        " poplib. telnetlib. xmlrpc.client. socket.socket socket.create_connection"
        " socket.getaddrinfo socket.gethostbyname websockets. boto3. botocore. paramiko. redis."
        " pymongo. psycopg. psycopg2. yfinance. openai. anthropic. huggingface_hub."
    ),
}
