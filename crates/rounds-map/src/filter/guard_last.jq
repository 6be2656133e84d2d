# What the guards put in place of jaq's own. Read after jaq's definitions, because it uses them.

def while(cond; update): def rec: if cond then ., (update | __step | rec) else empty end; rec;
def until(cond; update): def rec: if cond then . else update | __step | rec end; rec;
def tonumber: if isnumber then . else __tonumber end;
def toboolean: if isboolean then . elif . == "true" then true elif . == "false" then false
  else error("cannot parse as boolean") end;

# What EHRs need again and again.

# Nothing, one or several as a list: what XML and the APIs behind it give is none of these for certain.
def many: if . == null then [] elif isarray then . else [.] end;
