# What the guards put in place of jaq's own. Read before jaq's definitions, so that those use it too.
# Native functions that make something new are renamed to `__name` and accounted for here.

def explode: __explode | __build_deep;
def implode: __implode | __build_deep;
def ascii_downcase: __ascii_downcase | __build_deep;
def ascii_upcase: __ascii_upcase | __build_deep;
def escape_sh: __escape_sh | __build_deep;
def escape_html: __escape_html | __build_deep;
def unescape_html: __unescape_html | __build_deep;
def encode_uri: __encode_uri | __build_deep;
def decode_uri: __decode_uri | __build_deep;
def encode_base64: __encode_base64 | __build_deep;
def decode_base64: __decode_base64 | __build_deep;
def tojson: __tojson | __build_deep;
def tobytes: __tobytes | __build_deep;
def strftime($format): __strftime($format) | __build_deep;
def matches($regex; $flags): __matches($regex; $flags) | __build_deep;
def split_matches($regex; $flags): __split_matches($regex; $flags) | __build_deep;
def split_($regex; $flags): __split_($regex; $flags) | __build_deep;
def indices($part): __indices($part) | __build_deep;

def keys_unsorted: __keys_unsorted | __build;
def key_values: __key_values | __build;
def group_by(f): __group_by(f) | __build;
def sort_by(f): __sort_by(f) | __build;
def sort: __sort | __build;
def reverse: __reverse | __build;
def path(f): __path(f) | __build_deep;
def path_value(f): __path_value(f) | __build;

# `__step` bounds the length of paths: a longer one could not be dropped without overflowing the stack.
def recurse(f): def rec: ., (f | __step | rec); rec;
def repeat(f): def rec: f, (__step | rec); rec;
