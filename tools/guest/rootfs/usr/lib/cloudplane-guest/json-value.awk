# Finds values in a JSON text. See json-value.
#
# The text is cut at its quotation marks, so that each string is handled whole: going through it byte by byte
# would take busybox seconds for the metadata of a server that has a lot of it.

{ text = text $0 "\n" }

END {
    pieces = split(text, piece, "\"")
    depth = 0
    for (at = 1; at <= pieces; at++) {
        between_strings(piece[at])
        if (at == pieces)
            break
        string = piece[++at]
        while (ends_in_escape(string) && at < pieces)
            string = string "\"" piece[++at]
        found_string(string)
    }
    if (depth != 0) {
        print "json-value: the text is cut short" > "/dev/stderr"
        exit 1
    }
}

# A quotation mark after an odd number of backslashes belongs to the string.
function ends_in_escape(string) {
    if (!match(string, /\\+$/))
        return 0
    return RLENGTH % 2
}

# Brackets, commas, colons and bare words: all that is not a string.
function between_strings(part,    i, c, word) {
    word = ""
    for (i = 1; i <= length(part) + 1; i++) {
        c = substr(part, i, 1)
        if (c ~ /[-+.0-9A-Za-z]/) {
            word = word c
            continue
        }
        if (word != "")
            found_value(word)
        word = ""
        if (c == "{" || c == "[") {
            depth++
            in_object[depth] = name_is_next[depth] = (c == "{")
            name[depth] = ""
        } else if (c == "}" || c == "]")
            depth--
        else if (c == ",")
            name_is_next[depth] = in_object[depth]
    }
}

function found_string(string) {
    if (name_is_next[depth]) {
        name[depth] = decoded(string)
        name_is_next[depth] = 0
    } else if (is_wanted())
        print decoded(string)
}

function found_value(word) {
    if (is_wanted() && word != "null")
        print word
}

function is_wanted() {
    return (depth == 1 || depth == 2) && in_object[1] && name[1] == wanted
}

function decoded(string,    result, i, c) {
    result = ""
    while (i = index(string, "\\")) {
        result = result substr(string, 1, i - 1)
        c = substr(string, i + 1, 1)
        string = substr(string, i + 2)
        if (c == "n") result = result "\n"
        else if (c == "t") result = result "\t"
        else if (c == "r") result = result "\r"
        else if (c == "b") result = result "\b"
        else if (c == "f") result = result "\f"
        else if (c == "u") {
            c = code_unit(string)
            string = substr(string, 5)
            if (c >= 55296 && c < 56320 && substr(string, 1, 2) == "\\u") {
                c = 65536 + (c - 55296) * 1024 + code_unit(substr(string, 3)) - 56320
                string = substr(string, 7)
            }
            result = result utf8(c)
        } else result = result c
    }
    return result string
}

function code_unit(string,    i, value) {
    value = 0
    for (i = 1; i <= 4; i++)
        value = value * 16 + index("0123456789abcdef", tolower(substr(string, i, 1))) - 1
    return value
}

function utf8(code) {
    # A NUL would end the string.
    if (code <= 0)
        return ""
    if (code < 128)
        return sprintf("%c", code)
    if (code < 2048)
        return sprintf("%c%c", 192 + int(code / 64), 128 + code % 64)
    if (code < 65536)
        return sprintf("%c%c%c", 224 + int(code / 4096), 128 + int(code / 64) % 64, 128 + code % 64)
    return sprintf("%c%c%c%c", 240 + int(code / 262144), 128 + int(code / 4096) % 64, 128 + int(code / 64) % 64, 128 + code % 64)
}
