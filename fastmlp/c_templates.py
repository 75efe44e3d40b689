r"""The text of C from which a net is put together: activations, what they call, the steps of a prediction, and words.

A template reads as C. In it NAME is the name of the function, with which every other name begins, so that several
headers fit into one program; what is not for others to use goes on with _own_. REAL is the type of the net; @ is the
suffix that literals and functions of <math.h> have in it: f, or none. A prediction is a straight line of loops whose
bounds are numbers, the outputs of a layer inside, so that a compiler makes vector code of them; exp and what is made
of it are written out for the same reason, as in src/elementary.pxd. Nothing is allocated, and nothing is written but
y and what is on the stack.

Not here: which of it a net needs (c_source.py).
"""

import re
from typing import NamedTuple

from fastmlp.formulas import SELU_ALPHA, SELU_SCALE
from fastmlp.forward import Normalized, Standardized

# Names that are taken: keywords up to C23 and main, what the two headers that are included have, and the rest of the
# library of C99, which the program may include, and which the linker may have.
_WORDS = """
    alignas alignof asm auto bool break case char const constexpr continue default do double else enum extern false
    float for goto if inline int long main nullptr register restrict return short signed sizeof static static_assert
    struct switch thread_local true typedef typeof typeof_unqual union unsigned void volatile while linux unix
    fpclassify isfinite isgreater isgreaterequal isless islessequal islessgreater isnormal isunordered signbit signgam
    INFINITY NAN HUGE_VAL HUGE_VALF HUGE_VALL
    abort abs atexit atof atoi atol atoll bsearch calloc div exit free getenv labs ldiv llabs lldiv malloc mblen
    mbstowcs mbtowc qsort rand realloc srand system wcstombs wctomb imaxabs imaxdiv
    clearerr fclose feof ferror fflush fgetc fgetpos fgets fopen fprintf fputc fputs fread freopen fscanf fseek
    fsetpos ftell fwrite getc getchar gets perror printf putc putchar puts remove rename rewind scanf setbuf setvbuf
    snprintf sprintf sscanf tmpfile tmpnam ungetc vfprintf vfscanf vprintf vscanf vsnprintf vsprintf vsscanf
    memchr memcmp memcpy memmove memset strcat strchr strcmp strcoll strcpy strcspn strdup strerror strlen strncat
    strncmp strncpy strpbrk strrchr strspn strstr strtod strtof strtoimax strtok strtol strtold strtoll strtoul
    strtoull strtoumax strxfrm index rindex
    asctime clock ctime difftime gmtime localtime mktime strftime time
    assert errno localeconv longjmp raise setjmp setlocale signal offsetof va_arg va_copy va_end va_start
    feclearexcept fegetenv fegetexceptflag fegetround feholdexcept feraiseexcept fesetenv fesetexceptflag fesetround
    fetestexcept feupdateenv
    isalnum isalpha isblank iscntrl isdigit isgraph islower isprint ispunct isspace isupper isxdigit tolower toupper
    btowc fgetwc fgetws fputwc fputws fwide fwprintf fwscanf getwc getwchar mbrlen mbrtowc mbsinit mbsrtowcs putwc
    putwchar swprintf swscanf towctrans towlower towupper ungetwc vfwprintf vfwscanf vswprintf vswscanf vwprintf
    vwscanf wcrtomb wcscat wcschr wcscmp wcscoll wcscpy wcscspn wcsftime wcslen wcsncat wcsncmp wcsncpy wcspbrk
    wcsrchr wcsrtombs wcsspn wcsstr wcstod wcstof wcstoimax wcstok wcstol wcstold wcstoll wcstoul wcstoull wcstoumax
    wcsxfrm wctob wctrans wctype wmemchr wmemcmp wmemcpy wmemmove wmemset wprintf wscanf
    environ stderr stdin stdout complex imaginary I FILE NULL EOF BUFSIZ RAND_MAX TMP_MAX MB_CUR_MAX NDEBUG
"""
_MATH = """
    acos acosh asin asinh atan atan2 atanh cbrt ceil copysign cos cosh drem erf erfc exp exp10 exp2 expm1 fabs fdim
    finite floor fma fmax fmin fmod frexp gamma hypot ilogb isinf isnan j0 j1 jn ldexp lgamma llrint llround log log10
    log1p log2 logb lrint lround modf nan nearbyint nextafter nexttoward pow pow10 remainder remquo rint round scalb
    scalbln scalbn significand sin sincos sinh sqrt tan tanh tgamma trunc y0 y1 yn
    cabs cacos cacosh carg casin casinh catan catanh ccos ccosh cexp cimag clog conj cpow cproj creal csin csinh csqrt
    ctan ctanh
"""
_TYPES = """
    clock div double fenv fexcept float fpos imaxdiv ldiv lldiv mbstate ptrdiff sig_atomic size ssize time wchar
    wctrans wctype wint
"""
TAKEN = re.compile(
    rf"{'|'.join(_WORDS.split())}|({'|'.join(_MATH.split())})(f|l|_r)?|lgamma[fl]_r|({'|'.join(_TYPES.split())})_t|"
    r"u?int\w*_t|U?INT\w*_(C|MAX|MIN)|(SIZE|PTRDIFF|SIG_ATOMIC|WCHAR|WINT|[SU]?CHAR|U?SHRT|U?L?LONG)_(MAX|MIN|BIT)|"
    r"(FP|M|MATH|FE|FLT|DBL|LDBL|DECIMAL|SEEK|CLOCKS|EXIT|FOPEN|FILENAME|LC|L|PRI|SCN)_\w+|(SIG|E)[A-Z0-9]+"
)
# What the header defines beside the function.
OF_A_HEADER = re.compile(r"\w*_own_\w*|\w+_(INPUTS|OUTPUTS|CLASSES|FASTMLP_H)")


class Precision(NamedTuple):
    """What a template needs to know of a type. The polynomials and limits of exp are those of src/elementary.pxd."""

    type: str
    suffix: str
    bits: str
    mantissa: int
    bias: int
    limit: str  # beyond which e^z is 0 or infinite
    log_2: tuple[str, str]  # the first so short that its product with a whole number is exact
    expm1: tuple[str, ...]  # (e^r - 1 - r) / r^2, highest power first
    artanh: tuple[str, ...]  # (2 artanh(s) - 2 s) / s^3, of s^2


PRECISIONS = {
    "float32": Precision(
        *("float", "f", "int32_t", 23, 127, "104.0", ("0.693359375", "-0.000212194440055")),
        ("0.001392618359", "0.008363179053", "0.04166655462", "0.1666657699", "0.5"),
        ("0.2685149802", "0.2823661981", "0.4000756064", "0.6666664034"),
    ),
    "float64": Precision(
        *("double", "", "int64_t", 52, 1023, "746.0", ("0.6931471803691238", "1.9082149292705878e-10")),
        (
            *("2.51003854955103191e-8", "2.76200884454097482e-7", "2.75572684599970648e-6"),
            *("0.0000248015212959543751", "0.000198412698630536169", "0.00138888889172137169"),
            *("0.00833333333333006183", "0.0416666666666241279", "0.166666666666666675", "0.500000000000000102"),
        ),
        (
            *("0.161640456119435322", "0.0880073848614467388", "0.120010728095907125", "0.133141442096549362"),
            *("0.153855700649586231", "0.181817894361328582", "0.22222222717427863", "0.285714285671087572"),
            *("0.400000000000145827", "0.666666666666666586"),
        ),
    ),
}

# The body of g(z), for each activation. NaN stays NaN.
ACTIVATIONS = {
    "identity": "return z;",
    "sigmoid": """\
const REAL e = NAME_own_exp(-fabs@(z));
return (z < 0 ? e : 1) / (1 + e);""",
    "tanh": """\
const REAL m = NAME_own_expm1(-2 * fabs@(z));
return copysign@(m / (m + 2), z);""",
    "relu": "return z < 0 ? 0 : z;",
    "leaky_relu": "return z < 0 ? SLOPE * z : z;",
    "elu": "return NAME_own_relu(z) + NAME_own_expm1(z < 0 ? z : 0);",
    "selu": f"""\
const REAL below = {SELU_SCALE * SELU_ALPHA!r}@ * NAME_own_expm1(z < 0 ? z : 0);
return {SELU_SCALE!r}@ * NAME_own_relu(z) + below;""",
    "softplus": "return NAME_own_relu(z) + NAME_own_log1p(NAME_own_exp(-fabs@(z)));",
    "gelu": "return 0.5@ * z * erfc@(-0.70710678118654752@ * z);",
    "silu": "return z * NAME_own_sigmoid(z);",
    # z ((1 + p / q)^2 - 1) / ((1 + p / q)^2 + 1) for e^z = p / q
    "mish": """\
const REAL e = NAME_own_exp(-fabs@(z)), p = z < 0 ? e : 1, q = z < 0 ? 1 : e;
const REAL n = p * (p + 2 * q);
return z * (n / (n + 2 * q * q));""",
    "exponential": "return NAME_own_exp(z);",
}

# What else a net may call, by the names that stand after NAME_own_ there. For GCC to make vector code of a loop, what
# is chosen from must be there anyway, and a limit must be one of whole numbers, for of others one may be NaN.
FUNCTIONS = {
    "power": """\
/* 2^n, where that is a normal number. */
static inline REAL NAME_own_power(int32_t n)
{
    union { BITS bits; REAL value; } number;
    number.bits = (BITS)(n + BIAS) << MANTISSA;
    return number.value;
}
""",
    "within": """\
/* z from -most to most; the bits of a float are in the order of its size. */
static inline REAL NAME_own_within(REAL z, REAL most)
{
    union { REAL value; BITS bits; } size, limit;
    size.value = fabs@(z);
    limit.value = most;
    size.bits = size.bits < limit.bits ? size.bits : limit.bits;
    return copysign@(size.value, z);
}
""",
    "or_nan": """\
/* A value, or NaN if z is NaN. */
static inline REAL NAME_own_or_nan(REAL value, REAL z)
{
    union { REAL value; BITS bits; } size, infinity, result;
    size.value = fabs@(z);
    infinity.value = (REAL)INFINITY;
    result.value = value;
    result.bits |= -(BITS)(size.bits > infinity.bits) & size.bits;
    return result.value;
}
""",
    "whole": """\
/* The whole number that is next to x. */
static inline int32_t NAME_own_whole(REAL x)
{
    return (int32_t)(x + copysign@(0.5@, x));
}
""",
    "rest": """\
/* e^r - 1 for x = n log 2 + r, |r| <= log(2) / 2. */
static inline REAL NAME_own_rest(REAL x, int32_t n)
{
    const REAL r = (x - (REAL)n * UPPER_LOG_2) - (REAL)n * LOWER_LOG_2;
    REAL p = EXPM1;
    return r + r * r * p;
}
""",
    "exp": """\
/* e^z, as 2^n e^r; 2^n in two factors, since it may be no number itself. */
static inline REAL NAME_own_exp(REAL z)
{
    const REAL x = NAME_own_within(z, LIMIT);
    const int32_t n = NAME_own_whole(x * 1.44269504088896341@), half = n / 2;
    const REAL value = (1 + NAME_own_rest(x, n)) * NAME_own_power(half);
    return NAME_own_or_nan(value * NAME_own_power(n - half), z);
}
""",
    "expm1": """\
/* e^z - 1 for z <= 0, without the cancellation near 0. */
static inline REAL NAME_own_expm1(REAL z)
{
    const REAL x = NAME_own_within(z, 80);
    const int32_t n = NAME_own_whole(x * 1.44269504088896341@);
    const REAL scale = NAME_own_power(n);
    return NAME_own_or_nan(scale * NAME_own_rest(x, n) + (scale - 1), z);
}
""",
    "log1p": """\
/* log(1 + u) for 0 <= u <= 1, as 2 artanh(u / (2 + u)). */
static inline REAL NAME_own_log1p(REAL u)
{
    const REAL s = u / (2 + u), w = s * s;
    REAL p = ARTANH;
    return 2 * s + s * w * p;
}
""",
    "softmax": """\
/* e^z_i / sum_j e^z_j, in place. */
static inline void NAME_own_softmax(REAL *z, int n)
{
    REAL most = z[0], sum = 0;
    for (int k = 1; k < n; k++) most = z[k] > most ? z[k] : most;
    for (int k = 0; k < n; k++) z[k] = NAME_own_exp(z[k] - most);
    for (int k = 0; k < n; k++) sum += z[k];
    for (int k = 0; k < n; k++) z[k] /= sum;
}
""",
    "count": """\
/* How many of n ascending numbers are below v, or not above it. */
static inline int NAME_own_count(const double *numbers, int n, double v, int or_equal)
{
    int low = 0, high = n;
    while (low < high) {
        const int middle = low + (high - low) / 2;
        if (or_equal ? numbers[middle] <= v : numbers[middle] < v) low = middle + 1;
        else high = middle;
    }
    return low;
}
""",
    "interpolated": """\
/* What v, a place among the n ascending numbers of `from`, is among those of `to`; where it is
   there more than once, the mean of the first and the last. */
static inline double NAME_own_interpolated(const double *from, const double *to, int n, double v)
{
    const int first = NAME_own_count(from, n, v, 0), last = NAME_own_count(from, n, v, 1) - 1;
    if (v != v) return v;
    if (first == last) return to[first];
    if (first < last) return 0.5 * (to[first] + to[last]);
    if (first == 0) return to[0];
    if (first == n) return to[n - 1];
    return (to[first] - to[last]) / (from[first] - from[last]) * (v - from[last]) + to[last];
}
""",
    "polynomial": """\
/* A polynomial of degree 7, highest power first. */
static inline double NAME_own_polynomial(const double coefficients[8], double t)
{
    double p = coefficients[0];
    for (int k = 1; k < 8; k++) p = p * t + coefficients[k];
    return p;
}
""",
    "quotient": """\
/* Of two such, that stand one below the other. */
static inline double NAME_own_quotient(const double rows[2][8], double t)
{
    return NAME_own_polynomial(rows[0], t) / NAME_own_polynomial(rows[1], t);
}
""",
    "quantile": """\
/* The z below which a standard normal number is with probability p, 1e-11 < p < 1 - 1e-11:
   algorithm AS 241. */
static inline double NAME_own_quantile(double p)
{
    const double q = p - 0.5;
    if (fabs(q) <= MIDDLE) return q * NAME_own_quotient(NAME_own_middle, MIDDLE * MIDDLE - q * q);
    const double size = NAME_own_quotient(NAME_own_tail, sqrt(-log(q < 0 ? p : 1 - p)) - TAIL);
    return q < 0 ? -size : size;
}
""",
    "to_normal": """\
/* The normal quantile at the level that v has among n known numbers, of levels from 0 to 1. */
static inline double NAME_own_to_normal(const double *known, const double *levels, int n, double v)
{
    if (known[0] > v - EDGE) return LEAST;
    if (known[n - 1] < v + EDGE) return MOST;
    const double level = NAME_own_interpolated(known, levels, n, v);
    if (level < EDGE) return LEAST;
    if (level > 1 - EDGE) return MOST;
    return NAME_own_quantile(level);
}
""",
    "from_normal": """\
/* The number whose level among n known ones is that of z in a standard normal distribution. */
static inline double NAME_own_from_normal(const double *known, const double *levels, int n, double z)
{
    const double level = 0.5 * erfc(-0.70710678118654752 * z);
    if (level < EDGE) return known[0];
    if (level > 1 - EDGE) return known[n - 1];
    return NAME_own_interpolated(levels, known, n, level);
}
""",
}

# The parts of the function itself, in the order in which they come.
SCALED = {
    Standardized: """
    /* X, scaled to mean 0 and standard deviation 1. */
    for (int i = 0; i < N; i++)
        INTO[i] = (REAL)(((double)x[i] - NAME_own_x_mean[i]) / NAME_own_x_scale[i]);
""",
    Normalized: """
    /* X, scaled to a normal distribution. */
    for (int i = 0; i < N; i++)
        INTO[i] = (REAL)NAME_own_to_normal(NAME_own_x_known[i], NAME_own_x_levels, Q, (double)x[i]);
""",
}
LAYER = """
    /* Layer LAYER: N_IN -> N_OUT, ACTIVATION. */
    for (int j = 0; j < N_OUT; j++) INTO[j] = START;
"""
TOGETHER = """\
    for (int i = 0; i < UNROLLED; i += STEP)
        for (int j = 0; j < N_OUT; j++)
            INTO[j] += SUM;
"""
REST = """\
    for (int i = UNROLLED; i < N_IN; i++)
        for (int j = 0; j < N_OUT; j++) INTO[j] += TERM;
"""
EACH = """\
    for (int j = 0; j < N_OUT; j++) INTO[j] = VALUE;
"""
UNSCALED = {
    type(None): """
    for (int k = 0; k < N; k++) y[k] = FROM[k];
""",
    Standardized: """
    /* y, scaled back from mean 0 and standard deviation 1. */
    for (int k = 0; k < N; k++)
        y[k] = (REAL)((double)FROM[k] * NAME_own_y_scale[k] + NAME_own_y_mean[k]);
""",
    Normalized: """
    /* y, scaled back from a normal distribution. */
    for (int k = 0; k < N; k++)
        y[k] = (REAL)NAME_own_from_normal(NAME_own_y_known[k], NAME_own_y_levels, Q, (double)FROM[k]);
""",
}
ONE_CLASS = """\
    (void)x; /* There is one class. */
    y[0] = 1;
"""
TWO_CLASSES = """
    y[0] = 1 - FROM[0];
    y[1] = FROM[0];
"""
