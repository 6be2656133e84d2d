# What the guards put in place of jaq's own. Read after jaq's definitions, because it uses them.

def while(cond; update): def rec: if cond then ., (update | __step | rec) else empty end; rec;
def until(cond; update): def rec: if cond then . else update | __step | rec end; rec;
def tonumber: if isnumber then . else __tonumber end;
def toboolean: if isboolean then . elif . == "true" then true elif . == "false" then false
  else error("cannot parse as boolean") end;

# What EHRs need again and again.

# Nothing, one or several as a list: what XML and the APIs behind it give is none of these for certain.
def many: if . == null then [] elif isarray then . else [.] end;
# What a FHIR search matched, without what it included and what it says of itself (R4, search, 3.1.1.9).
def fhir_matches: .entry[]? | select((.search.mode // "match") == "match") | .resource
  | select(. != null and .resourceType != "OperationOutcome");
# The id of the first reference to this type of resource, wherever it stands; null if there is none (R4, references, 2.3.0).
def fhir_reference($type): [.. | objects | .reference? | strings | select(startswith($type + "/") or contains("/" + $type + "/"))][0]
  | if . == null then null else split("/_history/")[0] | split("/")[-1] end;
# The resources of a FHIR history, the newest state of each first, and what was deleted as a tombstone (R4, http, 3.1.0.11).
def fhir_history: .entry[]? | select(.request != null) | . as $entry
  | (if .request.method == "DELETE" then (.request.url | split("?")[0] | split("/")) as $path
      | {resourceType: $path[-2], id: $path[-1], deleted: true,
         meta: {versionId: (($entry.response.etag // "") | ltrimstr("W/") | gsub("\""; "")), lastUpdated: $entry.response.lastModified}}
     else .resource end) | select(. != null);
