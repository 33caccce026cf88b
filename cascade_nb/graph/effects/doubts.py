"""Lists what nobody can know of a result beforehand, by the names through which code comes to it:
chance, the clock, the machine, the network.

Where more than a name decides, as an argument that fixes what is drawn, a function here tells.
"""

from __future__ import annotations

import re
import types
from collections.abc import Iterator
from typing import Final

from cascade_nb.graph.uses.given import CONSTANT, GLOBAL, PARAMETER
from cascade_nb.graph.uses.uses import Use


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: What is said of what nobody can know.
DRAWS: Final = "draws random numbers"
ASKS_NETWORK: Final = "asks the network"

BY_CHANCE: Final = "a library's chance"
"""The name of what draws from the global state of a library where nothing is given to fix it."""

#: What nobody can know beforehand, in words, by the names of what it comes from. One with
#: parentheses counts only where it is called as they say, see `called_as`; with empty ones, where
#: it is called without arguments.
DOUBTS: Final[dict[str, frozenset[str]]] = {
    DRAWS: _names(
        "numpy.random.default_rng() numpy.random.RandomState() numpy.random.SeedSequence()"
        " numpy.random.PCG64() numpy.random.PCG64DXSM() numpy.random.MT19937()"
        " numpy.random.Philox() numpy.random.SFC64()"
        " random.Random() random.SystemRandom secrets.SystemRandom"
        " secrets.token_bytes secrets.token_hex"
        " secrets.token_urlsafe secrets.choice secrets.randbelow secrets.randbits uuid.uuid1"
        " uuid.uuid4 uuid.uuid7 os.urandom"
        " os.getrandom ssl.RAND_bytes crypt.mksalt()"
    ),
    "makes up names of temporary files": _names(
        "tempfile.mkdtemp tempfile.mkstemp tempfile.mktemp"
    ),
    "reads the clock": _names(
        "time.time time.time_ns time.perf_counter time.perf_counter_ns time.process_time"
        " time.strftime(1) timeit.timeit timeit.repeat"
        " logging.LogRecord logging.makeLogRecord email.utils.make_msgid gzip.compress(1)"
        " time.process_time_ns time.thread_time time.thread_time_ns"
        " os.times timeit.default_timer email.utils.formatdate()"
        " email.utils.localtime()"
        " time.localtime() time.gmtime() time.ctime() time.asctime() time.clock_gettime"
        " datetime.datetime.now datetime.datetime.utcnow datetime.datetime.today"
        " datetime.date.today pandas.Timestamp.now pandas.Timestamp.today pandas.Timestamp.utcnow"
        " pendulum.now arrow.now arrow.utcnow"
        ' pandas.Timestamp("now") pandas.Timestamp("today") pandas.to_datetime("now")'
        ' pandas.to_datetime("today") numpy.datetime64("now") numpy.datetime64("today")'
    ),
    "waits for somebody to type": _names("builtins.input getpass.getpass sys.stdin sys.stdin."),
    "uses hash() or id(), which differ in each process": _names("builtins.hash builtins.id"),
    "reads what each thread has for itself": frozenset(),
    "asks about this machine": _names(
        "platform. os.cpu_count os.process_cpu_count os.getpid os.getppid os.uname os.getlogin"
        " os.getuid os.getloadavg os.statvfs socket.gethostname socket.getfqdn getpass.getuser"
        " multiprocessing.cpu_count os.sched_getaffinity resource.getrusage"
        " threading.get_ident threading.get_native_id threading.current_thread"
        " threading.active_count threading.enumerate multiprocessing.current_process"
        " multiprocessing.parent_process multiprocessing.process.current_process"
        " psutil. shutil.disk_usage"
        " torch.cuda.is_available"
        " torch.cuda.device_count uuid.getnode"
    ),
    "reads memory that processes share": _names("multiprocessing.shared_memory."),
    ASKS_NETWORK: _names(
        "requests. httpx. aiohttp. urllib3. urllib.request. http.client. ftplib. smtplib. imaplib."
        " poplib. telnetlib. xmlrpc.client. socket.socket socket.create_connection"
        " socket.getaddrinfo socket.gethostbyname websockets. boto3. botocore. paramiko. redis."
        " pymongo. psycopg. psycopg2. yfinance. openai. anthropic. huggingface_hub."
        " asyncio.open_connection ssl.get_server_certificate torch.hub. kagglehub. gdown. wget."
        " nltk.download seaborn.load_dataset sklearn.datasets._openml. sklearn.datasets._lfw."
        " sklearn.datasets._california_housing. sklearn.datasets._twenty_newsgroups."
        " sklearn.datasets._covtype. sklearn.datasets._olivetti_faces. sklearn.datasets._rcv1."
        " sklearn.datasets._kddcup99."
    ),
}

# What a default of `None` leaves to the clock or to chance.
for _words, _of in (
    ("draws random numbers where it is given no seed", DOUBTS[DRAWS]),
    ("reads the clock where it is given no time", DOUBTS["reads the clock"]),
):
    DOUBTS[_words] = frozenset(f"{one[:-2]}(?)" for one in _of if one.endswith("()"))


def called_as(use: Use, function: types.FunctionType) -> Iterator[str]:
    """The ways in which something is called that count in `DOUBTS`: with a certain text first, with
    one argument, with none where that is `None` under a global name, or with a parameter that has
    `None` as its default, so that nobody but the caller knows.

    Args:
        use: of it.
        function: whose body uses it.
    """
    if not use.given:
        return
    kind, name = use.given[0]
    if kind == CONSTANT and name:
        yield f'("{name}")'
    if use.number != 1:
        return
    yield "(1)"
    code, defaults = function.__code__, function.__defaults__ or ()
    named = code.co_varnames[: code.co_argcount]
    by_name = dict(zip(named[len(named) - len(defaults) :], defaults, strict=True))
    by_name.update(function.__kwdefaults__ or {})
    if kind == GLOBAL and function.__globals__.get(name, use) is None:
        yield "()"
    elif kind == PARAMETER and by_name.get(name, use) is None:
        yield "(?)"


# By package, what draws by chance where no argument of this name is given.
_CHANCE_OF: Final[dict[str, frozenset[str]]] = {
    "sklearn": _names(
        "train_test_split shuffle resample permutation_importance ShuffleSplit"
        " StratifiedShuffleSplit GroupShuffleSplit RandomizedSearchCV RandomForestClassifier"
        " RandomForestRegressor ExtraTreesClassifier ExtraTreesRegressor"
        " GradientBoostingClassifier GradientBoostingRegressor DecisionTreeClassifier"
        " DecisionTreeRegressor BaggingClassifier BaggingRegressor AdaBoostClassifier"
        " AdaBoostRegressor IsolationForest KMeans MiniBatchKMeans GaussianMixture MLPClassifier"
        " MLPRegressor SGDClassifier SGDRegressor Perceptron TSNE FastICA"
        " LatentDirichletAllocation make_classification make_regression make_blobs make_moons"
        " make_circles"
    ),
    "scipy": _names(
        "differential_evolution dual_annealing basinhopping kmeans kmeans2 bootstrap"
        " permutation_test monte_carlo_test rand random_array Sobol Halton LatinHypercube"
        " PoissonDisk"
    ),
    "pandas": _names("sample"),
    "polars": _names("sample shuffle"),
    "networkx": _names(
        "gnp_random_graph fast_gnp_random_graph gnm_random_graph erdos_renyi_graph"
        " binomial_graph barabasi_albert_graph watts_strogatz_graph random_regular_graph"
        " random_geometric_graph random_tree spring_layout"
    ),
}
_SHUFFLING: Final = _names("KFold StratifiedKFold StratifiedGroupKFold")
_FIXING: Final = ("random_state", "seed", "rng")


def draws_by_chance(name: str, code: types.CodeType) -> bool:
    """Whether a body uses what of a library draws from a global state, by this full name, and names
    nothing that fixes what is drawn.
    """
    root, _, rest = name.partition(".")
    last = rest.rpartition(".")[2]
    drawn = last in _CHANCE_OF.get(root, ()) or name == "scipy.sparse.random"
    if root == "sklearn" and last in _SHUFFLING:
        drawn = _names_anywhere(code, "shuffle")
    return drawn and not any(_names_anywhere(code, one) for one in _FIXING)


def is_chance_itself(value: object) -> bool:
    """Whether it is an estimator that draws from NumPy's global state whenever it is fitted."""
    kind = type(value)
    if not str(getattr(kind, "__module__", "")).startswith("sklearn."):
        return False
    return kind.__name__ in _CHANCE_OF["sklearn"] and vars(value).get("random_state", 0) is None


def is_fixed(name: str, code: types.CodeType) -> bool:
    """Whether a distribution that a body uses by this full name is given what fixes it."""
    drawn = name.startswith("scipy.stats.") and name.endswith(".rvs")
    return drawn and _names_anywhere(code, "random_state")


_TABLES_OF: Final = _names("pandas polars pyarrow numpy geopandas xarray dask duckdb fsspec")
_READING: Final = ("read_", "scan_", "open", "loadtxt", "genfromtxt", "sql")
_ELSEWHERE: Final = re.compile(r"(https?|ftps?|sftp|s3a?|gs|gcs|abfss?|az|hdfs|hf)://")


def reads_tables(name: str) -> bool:
    """Whether what has this full name reads a table from where a text says."""
    root, _, rest = name.partition(".")
    return root in _TABLES_OF and rest.rpartition(".")[2].startswith(_READING)


def to_elsewhere(text: str) -> bool:
    """Whether a text is an address of another machine."""
    return _ELSEWHERE.match(text) is not None


def _names_anywhere(code: types.CodeType, name: str) -> bool:
    held = [one for one in code.co_consts if isinstance(one, tuple)]
    if name in (*code.co_names, *code.co_varnames, *code.co_consts, *sum(held, ())):
        return True
    inner = (one for one in code.co_consts if isinstance(one, types.CodeType))
    return any(_names_anywhere(one, name) for one in inner)
