//! The stable codes of this crate, in one place so that each has one meaning. Each has a page under `docs/codes/`.
//!
//! `R01` says that what is written has not the shape of a configuration, `R02` that it has and means nothing that can
//! be carried out.

use rounds_domain::Code;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal;)+) => {
        $($(#[$doc])* pub const $name: Code = Code::new($code);)+

        /// All of them, for the test that each has a page.
        pub const ALL: &[Code] = &[$($name),+];
    };
}

codes! {
    /// A key that there is not.
    UNKNOWN_KEY = "R0101";
    /// A value of another type than is needed.
    WRONG_TYPE = "R0102";
    /// A key that must be there.
    MISSING_KEY = "R0103";
    /// Not YAML.
    SYNTAX = "R0104";
    /// A key that comes twice.
    DUPLICATE_KEY = "R0105";
    /// A part of YAML that is not used here.
    UNSUPPORTED_YAML = "R0106";
    /// More than is read.
    TOO_LARGE = "R0107";
    /// A file that cannot be read.
    UNREADABLE = "R0108";
    /// Keys of which exactly one must be there.
    ONE_OF = "R0109";
    /// A word that is not among those known.
    UNKNOWN_WORD = "R0110";
    /// A name with characters that names may not have.
    BAD_NAME = "R0111";

    /// An action without an interval.
    NO_INTERVAL = "R0201";
    /// A duration that cannot be read.
    BAD_DURATION = "R0202";
    /// An interval below one second.
    INTERVAL_TOO_SHORT = "R0203";
    /// Cron fields that cannot be read.
    BAD_CRON = "R0204";
    /// A time zone that there is not.
    UNKNOWN_ZONE = "R0205";
    /// A window that cannot be read.
    BAD_WINDOW = "R0206";
    /// A connection or destination that is named and not there.
    UNKNOWN_REFERENCE = "R0207";
    /// Two things with one name.
    SAME_NAME = "R0208";
    /// An expression that does not compile.
    BAD_EXPRESSION = "R0209";
    /// A template that does not compile.
    BAD_TEMPLATE = "R0210";
    /// An expression that reads what is not there.
    UNKNOWN_ROOT = "R0211";
    /// Lookups that wait for each other.
    LOOKUP_CIRCLE = "R0212";
    /// A request may take longer than the interval.
    TIMEOUT_TOO_LONG = "R0213";
    /// A cursor that no request carries.
    CURSOR_NOT_SENT = "R0214";
    /// A request that carries a cursor that there is not.
    CURSOR_NOT_GIVEN = "R0215";
    /// A time format that does not work.
    BAD_TIME_FORMAT = "R0216";
    /// A start that does not fit.
    BAD_START = "R0217";
    /// `version` together with `ignore`.
    VERSION_AND_IGNORE = "R0218";
    /// A number in a body that JSON cannot carry as it is written.
    BAD_NUMBER = "R0219";
    /// A secret that stands in the file.
    LITERAL_SECRET = "R0220";
    /// A URL that cannot be used.
    BAD_URL = "R0221";
    /// Patient data without encryption.
    PLAIN_HTTP = "R0222";
    /// A rate that cannot be read.
    BAD_RATE = "R0223";
    /// A size that cannot be read.
    BAD_SIZE = "R0224";
    /// A challenge without the token that goes with it.
    CHALLENGE_WITHOUT_TOKEN = "R0225";
    /// A schema of the user's that cannot be read as one.
    BAD_SCHEMA = "R0248";
    /// A data model that there is not.
    UNKNOWN_MODEL = "R0226";
    /// An event that the data model does not have.
    UNKNOWN_EVENT = "R0227";
    /// A body that is not of its model's shape.
    BODY_SHAPE = "R0228";
    /// A text that looks like an expression and is sent as it is.
    UNMARKED = "R0249";
    /// Nothing is sent.
    NOTHING_SENT = "R0229";
    /// A connection or destination that nobody uses.
    UNUSED = "R0230";
    /// A number out of its range.
    OUT_OF_RANGE = "R0231";
    /// A header that cannot be set.
    BAD_HEADER = "R0232";
    /// A name that means something else already.
    RESERVED_NAME = "R0233";
    /// Keys that do not go together.
    MISMATCHED_KEYS = "R0234";
    /// A secret's reference that cannot work.
    BAD_SECRET = "R0235";
    /// An address range that cannot be read.
    BAD_ADDRESS = "R0236";
    /// More requests than the EHR allows.
    OVER_LIMIT = "R0237";
    /// More than half of the requests that the EHR allows.
    NEAR_LIMIT = "R0238";
    /// A percentage that cannot be read.
    BAD_PERCENTAGE = "R0239";
    /// A sweep that cannot work as it is described.
    BAD_SWEEP = "R0240";
    /// A receiver that cannot tell a deletion from a change.
    DELETION_UNSEEN = "R0241";
    /// A cursor by another field than the filter's.
    OTHER_FIELD = "R0242";
    /// Two change queries of one action whose versions do not mean the same.
    VERSIONS_DISAGREE = "R0243";
    /// A further change query by the name of another feed.
    FEED_NAME_TAKEN = "R0244";
    /// Partitions that do not fit the request.
    BAD_PARTITIONS = "R0245";
    /// A job that does not fit the rest of its query.
    BAD_JOB = "R0246";

    /// A batch of lookups that does not fit its request.
    BAD_BATCH = "R0247";

    /// A body that cannot be sent as it is described.
    BAD_REQUEST_BODY = "R0260";
    /// A secret in a body that there is not.
    UNKNOWN_SECRET = "R0261";
    /// The place of a page is not in the request, or nobody gives it.
    PAGE_NOT_SENT = "R0262";
    /// A rule for answers that does not say enough, or too much.
    BAD_ANSWER_RULE = "R0263";
    /// A status that HTTP does not have.
    BAD_STATUS = "R0264";

    /// An action that cannot be polled.
    NOT_POLLABLE = "R0290";
    /// A connector that there is not.
    UNKNOWN_CONNECTOR = "R0291";
    /// An action that a connector does not have.
    UNKNOWN_CONNECTOR_ACTION = "R0292";
    /// Settings that a connector wants, or does not know.
    BAD_SETTINGS = "R0293";
    /// A connector's file that says what only the user can say.
    BAD_CONNECTOR = "R0294";

    /// A map that there is not.
    UNKNOWN_MAP = "R0295";
    /// A map that begins with itself.
    MAP_OVER_ITSELF = "R0296";

    /// A translation that there is not, or whose file cannot be read.
    BAD_TRANSLATION = "R0297";

    /// An action that takes pushes, of a connection that takes none.
    NOBODY_RECEIVES = "R0298";

    /// Nobody says where tokens are asked for, or two do.
    TOKEN_URL = "R0250";
    /// Keys that a grant needs, or does not know.
    GRANT_KEYS = "R0251";
    /// A form parameter that Rounds sets itself.
    RESERVED_PARAMETER = "R0252";
    /// A login with two bodies, or with one that is not sent.
    LOGIN_BODY = "R0253";
    /// A scope for a person where nobody logs in.
    SCOPE_OF_A_PERSON = "R0254";

    /// Slices that cannot be asked for.
    BAD_SLICES = "R0270";
    /// A span that takes many slices.
    MANY_SLICES = "R0271";
    /// A queue that is paged by place.
    QUEUE_BY_PLACE = "R0272";
    /// The newest records first, on one page.
    ONE_PAGE_OF_NEWEST = "R0273";
    /// Records are left out of pages whose size says which is the last.
    HIDDEN_ROWS = "R0274";
    /// A rule that can never hold.
    NEVER_TRUE = "R0275";
}
