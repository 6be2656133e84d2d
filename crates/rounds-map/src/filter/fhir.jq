# What whoever reads FHIR needs again and again. Sections are those of FHIR R4.

# What a FHIR search matched, without what it included and what it says of itself (R4, search, 3.1.1.9).
def fhir_matches: .entry[]? | select((.search.mode // "match") == "match") | .resource
  | select(. != null and .resourceType != "OperationOutcome");
# The references of an element, with their elements, outside of what extends it and of what it contains (R4, references, 2.3.0).
def __fhir_elements: if isarray then .[] | __fhir_elements
  elif isobject then (select(.reference? | isstring)),
    (to_entries[] | select(.key != "extension" and .key != "modifierExtension" and .key != "contained") | .value | __fhir_elements)
  else empty end;
# Where a resource says whose it is; of a Patient in another element it says something else (R4, compartmentdefinition-patient).
def __fhir_of($type): if isobject and has("resourceType") and $type == "Patient" then
    [.subject, .patient, .for, .beneficiary, (.participant | if isarray then .[] else . end | if isobject then .actor, .individual else empty end)]
      | map(select(. != null)) as $own
      | if [$own | __fhir_elements] == [] then . else $own end
  else . end;
# The ids of the resources of this type that an element refers to, each once, in their order. A whole URL is kept whole: at another
# server the same id is somebody else.
def fhir_references($type): __fhir_of($type)
  | reduce (__fhir_elements | .reference | select(startswith($type + "/") or contains("/" + $type + "/")) | split("/_history/")[0]
      | if startswith($type + "/") then split("/")[-1] else . end) as $id ([]; if any(.[]; . == $id) then . else . + [$id] end);
# The same of the participants that have this role, by its code.
def fhir_references($type; $role): [if isobject then .participant else . end | many | .[]
  | select(any(.type | many | .[]; any(.coding | many | .[]; .code == $role)))] | fhir_references($type);
# The one of them; null if there is none. Several are said, and so is one that the record contains, instead of a guess.
def __fhir_contained($type): if isobject and has("resourceType") then
    [.contained | many | .[] | select(.resourceType == $type) | "#" + .id] as $contained
      | any(__fhir_of($type) | __fhir_elements; .reference as $reference | any($contained[]; . == $reference))
  elif isobject and (.reference? | isstring) then (.reference | startswith("#")) else false end;
def __fhir_one($type): if length > 1 then error("the record refers to several resources of the type where one is needed") else .[0] end;
def fhir_reference($type): fhir_references($type) as $found
  | if $found == [] and __fhir_contained($type) then error("the resource is contained in the record: read it there") else $found | __fhir_one($type) end;
def fhir_reference($type; $role): fhir_references($type; $role) | __fhir_one($type);
# The resources of a FHIR history, the newest state of each first, and what was deleted as a tombstone (R4, http, 3.1.0.11).
def fhir_history: .entry[]? | select(.request != null) | . as $entry
  | (if .request.method == "DELETE" then (.request.url | split("?")[0] | split("/_history")[0] | split("/")) as $path
      | {resourceType: $path[-2], id: $path[-1], deleted: true,
         meta: {versionId: (($entry.response.etag // "") | ltrimstr("W/") | gsub("\""; "")), lastUpdated: $entry.response.lastModified}}
     else .resource end) | select(. != null);
# The id that a reference's text names (references, 2.3.0); null of null.
def fhir_id: if . == null or . == "" then null else split("/_history/")[0] | split("/")[-1] end;
# Which of references, as `fhir_references` gives them, are at the server of this base URL: those as ids, others as they are, each once.
def fhir_here($base): ($base // "" | rtrimstr("/") + "/") as $own
  | reduce (.[] | if $own != "/" and startswith($own) then split("/")[-1] else . end) as $id ([]; if any(.[]; . == $id) then . else . + [$id] end);
# Those of them that can be asked for: another server's cannot.
def fhir_askable($base): fhir_here($base) | map(select(startswith("http") | not));
# The participants of an appointment that did not decline, those whose time is not over before the others.
def fhir_participants: [.participant | many | .[] | select(.status != "declined")] | map(select(.period.end == null)) + map(select(.period.end != null));
# What a reference means that a record contains (references, 2.3.0.3).
def fhir_inside($record): . as $reference | [$record.contained | many | .[] | select("#" + (.id // "") == $reference)][0];
# Who is meant where there is nobody to look up: who is contained in the record, or what the reference itself says (references, 2.3.0.4).
def fhir_meant($record): if isobject | not then null
  elif (.reference // "" | startswith("#")) then (.reference | fhir_inside($record) | if . == null then null else del(.id) end)
  elif .identifier != null then {identifier: [.identifier], name: [{text: .display}]}
  else null end;
# Of what a map reads, the patient that was looked up, or who is meant where there is nobody to look up: of a record with a subject, and of an
# appointment, of which one patient takes part.
def fhir_subject: .patient // (.record as $record | $record.subject | fhir_meant($record));
def fhir_attendee: .patient // (.record as $record | [$record | fhir_participants | .[].actor | select(isobject)
    | select(.type == "Patient" or (.reference | fhir_inside($record) | .resourceType?) == "Patient")]
  | if length == 1 then .[0] | fhir_meant($record) else null end);
# Of names the one that is used: official, usual, any that is not a nickname, a maiden name or over; text alone is the family (datatypes, 2.24.0.14).
def __fhir_best: map(select(.use == "official")) + map(select(.use == "usual")) + map(select(.use == null)) + .;
def fhir_used: many | map(select(.use != "old")) | ((map(select(.period.end == null)) | __fhir_best) + __fhir_best)[0] // {}
  | if .family == null and (.given | many | map(select(. != null))) == [] and .text != null then .family = .text else . end;
# Of addresses the one at home, before those for mail and those that are over (datatypes, 2.24.0.13).
def __fhir_nearest: map(select(.use == "home" and .type != "postal")) + map(select(.use == "home" or .use == null)) + .;
def fhir_address: .address | many | map(select(.use != "old")) | ((map(select(.period.end == null)) | __fhir_nearest) + __fhir_nearest)[0] // {};
# The street of an address, as far as it has one.
def fhir_street: ([.line | many | .[] | select(. != null and . != "")] | join(", ") | if . == "" then null else . end) // .text;
# The number or address of a system and a use: the preferred of those that are not over. What has no use is at home, and who gets texts is
# mobile (datatypes, 2.24.0.15).
def fhir_contact($system; $use): [.telecom | many | .[] | select(.value != null and .use != "old")
    | select((.system == $system and (.use == $use or ($use == "home" and .use == null))) or ($use == "mobile" and .system == "sms"))]
  | sort_by([(.period.end != null), (.use != $use), (.rank // 1000)]) | .[0].value;
# What a concept, or the first of several, says in words (datatypes, 2.24.0.5).
def fhir_words: (many[0] // {}) | .text // ([.coding | many | .[] | .display // empty][0]) // ([.coding | many | .[] | .code // empty][0]);
# The first code of a concept, or of the first of several.
def fhir_coding: (many[0] // {}) | (.coding | many)[0] // {};
# A code system as most people call it; others by their URL (terminologies-systems, 4.3.0).
def fhir_codeset: {"http://loinc.org": "LOINC", "http://snomed.info/sct": "SNOMED-CT", "http://hl7.org/fhir/sid/icd-10-cm": "ICD-10",
  "http://hl7.org/fhir/sid/icd-10": "ICD-10", "http://www.ama-assn.org/go/cpt": "CPT", "http://hl7.org/fhir/sid/cvx": "CVX",
  "http://www.nlm.nih.gov/research/umls/rxnorm": "RxNorm", "http://hl7.org/fhir/sid/ndc": "NDC"}[. // ""] // .;
# The value of the first identifier whose type has this code (HL7 table 0203).
def fhir_identifier($type): [.identifier | many | .[] | select(any(.type.coding[]?; .code == $type)) | .value][0];
# An instant as seconds, whatever its zone and its parts of a second (datatypes, 2.24.0.1); null of what is less than that.
def fhir_seconds: if . == null then null else
  [capture("^(?<at>[0-9-]{10}T[0-9:]{8})([.][0-9]+)?(?<sign>[Z+-])((?<hours>[0-9]{2}):(?<minutes>[0-9]{2}))?$")][0]
  | if . == null then null else
      (.at + "Z" | fromdateiso8601) as $at
      | (((.hours // "0") | tonumber) * 3600 + ((.minutes // "0") | tonumber) * 60) as $offset
      | if .sign == "-" then $at + $offset else $at - $offset end
    end end;
# The minutes from one instant to another; null if one is not known.
def fhir_minutes($from; $to): ($from | fhir_seconds) as $a | ($to | fhir_seconds) as $b
  | if $a == null or $b == null or $b < $a then null else ($b - $a) / 60 | floor end;
# The National Provider Identifier (US Core).
def fhir_npi: [.identifier | many | .[] | select(.system == "http://hl7.org/fhir/sid/us-npi" or any(.type.coding[]?; .code == "NPI")) | .value][0];
# The value of an extension by its URL; of one inside of it by two.
def fhir_extension($url): [.extension | many | .[] | select(.url == $url)][0];
def fhir_extension($url; $inner): fhir_extension($url) | fhir_extension($inner);
# What an observation or a component of it found (observation, 10.1): a text, its kind, and its unit.
def fhir_found: if .valueQuantity != null then {text: (.valueQuantity | (.comparator // "") + (.value // "" | tostring)),
    kind: (if .valueQuantity.comparator == null then "quantity" else "text" end),
    unit: (.valueQuantity | .unit // .code)}
  elif .valueCodeableConcept != null then {text: (.valueCodeableConcept | fhir_words), kind: "concept"}
  elif .valueString != null then {text: .valueString, kind: "text"}
  elif .valueBoolean != null then {text: (.valueBoolean | tostring), kind: "text"}
  elif .valueInteger != null then {text: (.valueInteger | tostring), kind: "quantity"}
  elif .valueDateTime != null then {text: .valueDateTime, kind: "instant"}
  elif .valueTime != null then {text: .valueTime, kind: "time"}
  elif .valueRange != null then {text: (.valueRange | "\(.low.value // "")-\(.high.value // "")"), kind: "text", unit: (.valueRange | .low.unit // .high.unit)}
  elif .valueRatio != null then {text: (.valueRatio | [.numerator, .denominator | (.comparator // "") + (.value // "" | tostring)
    + (if .unit then " " + .unit else "" end)] | join(":")), kind: "text"}
  elif .valuePeriod != null then {text: (.valuePeriod | "\(.start // "")/\(.end // "")"), kind: "text"}
  elif .dataAbsentReason != null then {text: (.dataAbsentReason | fhir_words), kind: "text"}
  else null end;
# An observation that found something, and its components that did, each as one.
def fhir_parts: . as $whole | (if fhir_found == null then empty else . end), (.component | many | .[] | select(fhir_found != null)
  | {status: $whole.status, effectiveDateTime: $whole.effectiveDateTime, effectivePeriod: $whole.effectivePeriod, effectiveInstant: $whole.effectiveInstant,
     effectiveTiming: $whole.effectiveTiming, issued: $whole.issued} + .);
# When an observation was made: the end of what lasted only where nothing else is known.
def fhir_effective: .effectiveDateTime // .effectiveInstant // .effectivePeriod.start // .effectivePeriod.end // (.effectiveTiming.event | many)[0] // .issued;
# The range that is normal, before ranges that mean something else, such as what a treatment aims at; none where several apply to several people.
def fhir_range: .referenceRange | many | (map(select((.type | fhir_coding | .code) | . == null or . == "normal")) as $normal
    | if $normal != [] then $normal else . end)
  | if (map(select(.appliesTo != null or .age != null)) | length) > 1 then {} else .[0] // {} end
  | {Low: (.low.value | if isnumber then . else null end), High: (.high.value | if isnumber then . else null end), Text: .text};
# How a finding is out of the normal, in the first words for it.
def fhir_flag: [.interpretation | many | .[] | fhir_words // empty][0];
