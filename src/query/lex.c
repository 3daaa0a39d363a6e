/* SPDX-License-Identifier: GPL-2.0-only */
/* lex.c: from the text of a query to tokens: TraceQL's, as far as one spanset filter needs them. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "query/internal.h"

struct lexer {
    const char *text;
    size_t position;
    struct tt_arena *arena;
    struct tt_query_token *token;
    const char **message;
    size_t *at;
};

static int fail(const struct lexer *lexer, size_t at, const char *message)
{
    *lexer->message = message;
    *lexer->at = at;
    return -EINVAL;
}

static char peek(const struct lexer *lexer)
{
    return lexer->text[lexer->position];
}

/* ---- strings ---- */

static bool is_octal(char c)
{
    return c >= '0' && c <= '7';
}

/* The code of `digits` hexadecimal digits; false: there are not so many. */
static bool read_hex(struct lexer *lexer, unsigned digits, uint32_t *code)
{
    *code = 0;
    for (unsigned i = 0; i < digits; i++) {
        char c = peek(lexer);

        if (!isxdigit((unsigned char)c))
            return false;
        *code = *code << 4 | (uint32_t)(isdigit((unsigned char)c) ? c - '0' : tolower(c) - 'a' + 10);
        lexer->position++;
    }
    return true;
}

static size_t put_utf8(uint32_t code, char *out)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xc0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xe0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3f));
        out[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3f));
    out[2] = (char)(0x80 | (code >> 6 & 0x3f));
    out[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

/* Escapes of numbers, behind the backslash: \x41, \101, \u00e9, \U0001f600. Bytes written; 0: it is none. */
static size_t read_code(struct lexer *lexer, char *out)
{
    static const struct {
        char letter;
        unsigned digits;
    } forms[] = {{'x', 2}, {'u', 4}, {'U', 8}};
    uint32_t code = 0;

    for (size_t i = 0; i < TT_ARRAY_SIZE(forms); i++) {
        if (peek(lexer) != forms[i].letter)
            continue;
        lexer->position++;
        if (!read_hex(lexer, forms[i].digits, &code) || !code || code > 0x10ffff ||
            (code >= 0xd800 && code < 0xe000))
            return 0;
        if (forms[i].letter != 'x')
            return put_utf8(code, out);
        out[0] = (char)code;
        return 1;
    }
    for (unsigned i = 0; i < 3; i++) {
        if (!is_octal(peek(lexer)))
            return 0;
        code = code << 3 | (uint32_t)(peek(lexer) - '0');
        lexer->position++;
    }
    out[0] = (char)code;
    return code && code < 256 ? 1 : 0;
}

/* Behind the backslash. */
static size_t read_escape(struct lexer *lexer, char *out)
{
    static const char letters[] = "abfnrtv\\\"", meanings[] = "\a\b\f\n\r\t\v\\\"";
    const char *letter = peek(lexer) ? strchr(letters, peek(lexer)) : NULL;

    if (!letter)
        return read_code(lexer, out);
    lexer->position++;
    out[0] = meanings[letter - letters];
    return 1;
}

/* The text between two `quote`; escapes are replaced, in raw strings (`..`) there are none. In the arena. */
static int read_string(struct lexer *lexer, const char **string)
{
    size_t start = lexer->position, size = 0;
    char quote = peek(lexer), *out = tt_arena_alloc(lexer->arena, strlen(lexer->text + start) + 1);

    if (!out)
        return -ENOMEM;
    for (lexer->position++; peek(lexer) != quote;) {
        size_t escape = lexer->position, length;

        if (!peek(lexer))
            return fail(lexer, start, "the string is not closed");
        if (quote == '"' && peek(lexer) == '\\') {
            lexer->position++;
            length = read_escape(lexer, out + size);
            if (!length)
                return fail(lexer, escape, "unknown escape in the string; a backslash is written \\\\");
            size += length;
        } else {
            out[size++] = lexer->text[lexer->position++];
        }
    }
    lexer->position++;
    out[size] = '\0';
    *string = out;
    return 0;
}

/* ---- numbers ---- */

struct unit {
    const char *name;
    double ns;
};

/* Longer names first. As in TraceQL: a day has 24 h, a week 7 days, a year 365. */
static const struct unit units[] = {
    {"ns", 1},   {"us", 1e3},   {"\xc2\xb5s", 1e3}, {"\xce\xbcs", 1e3}, {"ms", 1e6},      {"s", 1e9},
    {"m", 6e10}, {"h", 3.6e12}, {"d", 8.64e13},     {"w", 6.048e14},    {"y", 3.1536e16},
};

static const struct unit *find_unit(const char *text)
{
    for (size_t i = 0; i < TT_ARRAY_SIZE(units); i++)
        if (!strncmp(text, units[i].name, strlen(units[i].name)))
            return &units[i];
    return NULL;
}

/* Length of the digits, with a fraction and (where no unit can be meant) an exponent. */
static size_t number_length(const char *text, bool *whole)
{
    size_t n = strspn(text, "0123456789"), exponent;

    *whole = true;
    if (text[n] == '.' && isdigit((unsigned char)text[n + 1])) {
        *whole = false;
        n += 1 + strspn(text + n + 1, "0123456789");
    }
    if (text[n] == 'e' || text[n] == 'E') {
        exponent = n + 1 + (text[n + 1] == '+' || text[n + 1] == '-');
        if (isdigit((unsigned char)text[exponent])) {
            *whole = false;
            n = exponent + strspn(text + exponent, "0123456789");
        }
    }
    return n;
}

/* "1h30m", "1.5ms": from the number whose length is known and that has a unit behind it. */
static int read_duration(struct lexer *lexer, struct tt_query_value *value)
{
    size_t start = lexer->position;
    double sum = 0;

    while (isdigit((unsigned char)peek(lexer))) {
        bool whole;
        size_t length = number_length(lexer->text + lexer->position, &whole);
        const struct unit *unit = find_unit(lexer->text + lexer->position + length);

        if (!unit)
            return fail(lexer, lexer->position,
                        "a unit is missing behind the number: ns, us, ms, s, m, h, d");
        sum += strtod(lexer->text + lexer->position, NULL) * unit->ns;
        lexer->position += length + strlen(unit->name);
    }
    if (sum >= 9.2e18)
        return fail(lexer, start, "the duration is too long");
    value->type = TT_QUERY_DURATION;
    value->integer = (int64_t)(sum + 0.5);
    return 0;
}

static int read_number(struct lexer *lexer, struct tt_query_value *value)
{
    const char *text = lexer->text + lexer->position;
    size_t start = lexer->position, length;
    bool whole;

    length = number_length(text, &whole);
    if (find_unit(text + length)) {
        int err = read_duration(lexer, value);

        if (err)
            return err;
    } else if (whole) {
        errno = 0;
        value->type = TT_QUERY_INT;
        value->integer = strtoll(text, NULL, 10);
        lexer->position += length;
        if (errno)
            return fail(lexer, start, "the number is too large");
    } else {
        value->type = TT_QUERY_FLOAT;
        value->real = strtod(text, NULL);
        lexer->position += length;
    }
    if (isalnum((unsigned char)peek(lexer)) || peek(lexer) == '_' || peek(lexer) == '.')
        return fail(lexer, start, "neither a number nor a duration (ns, us, ms, s, m, h, d)");
    return 0;
}

/* ---- words ---- */

static const struct word {
    const char *name;
    enum tt_query_type type;
    int64_t value;
} words[] = {
    {"true", TT_QUERY_BOOL, 1},          {"false", TT_QUERY_BOOL, 0},         {"nil", TT_QUERY_NIL, 0},
    {"unset", TT_QUERY_STATUS, 0},       {"ok", TT_QUERY_STATUS, 1},          {"error", TT_QUERY_STATUS, 2},
    {"unspecified", TT_QUERY_KIND, 0},   {"internal", TT_QUERY_KIND, 1},      {"server", TT_QUERY_KIND, 2},
    {"client", TT_QUERY_KIND, 3},        {"producer", TT_QUERY_KIND, 4},      {"consumer", TT_QUERY_KIND, 5},
    {"minInt", TT_QUERY_INT, INT64_MIN}, {"maxInt", TT_QUERY_INT, INT64_MAX},
};

static const struct {
    const char *name;
    enum tt_query_scope scope;
} scopes[] = {{"span", TT_SCOPE_SPAN}, {"resource", TT_SCOPE_RESOURCE}, {"event", TT_SCOPE_EVENT}};

/* What ends the name of an attribute. */
static bool ends_name(char c)
{
    return !c || isspace((unsigned char)c) || strchr("{}()=~!<>&|^,", c);
}

/* Behind the dot; parts may be quoted. */
static int read_attribute(struct lexer *lexer, enum tt_query_scope scope)
{
    size_t start = lexer->position, size = 0;
    char *out = tt_arena_alloc(lexer->arena, strlen(lexer->text + start) + 1);

    if (!out)
        return -ENOMEM;
    while (!ends_name(peek(lexer))) {
        const char *part;
        int err;

        if (peek(lexer) != '"') {
            out[size++] = lexer->text[lexer->position++];
            continue;
        }
        err = read_string(lexer, &part);
        if (err)
            return err;
        memcpy(out + size, part, strlen(part));
        size += strlen(part);
    }
    if (!size)
        return fail(lexer, start, "the name of an attribute is missing behind the dot");
    out[size] = '\0';
    lexer->token->type = TT_TOKEN_FIELD;
    lexer->token->field = (struct tt_query_field){.scope = scope, .key = out};
    return 0;
}

static int read_literal_word(struct lexer *lexer, const struct word *word)
{
    struct tt_query_value *value = &lexer->token->value;

    lexer->token->type = TT_TOKEN_LITERAL;
    value->type = word->type;
    if (word->type == TT_QUERY_BOOL)
        value->boolean = word->value;
    else
        value->integer = word->value;
    return 0;
}

static int read_word(struct lexer *lexer)
{
    size_t start = lexer->position, length;
    const char *word = lexer->text + start;

    while (isalnum((unsigned char)peek(lexer)) || peek(lexer) == '_')
        lexer->position++;
    length = lexer->position - start;
    if (peek(lexer) == '.') {
        for (size_t i = 0; i < TT_ARRAY_SIZE(scopes); i++) {
            if (strlen(scopes[i].name) != length || memcmp(scopes[i].name, word, length) != 0)
                continue;
            lexer->position++;
            return read_attribute(lexer, scopes[i].scope);
        }
        return fail(lexer, start,
                    "unknown scope; attributes are span.NAME, resource.NAME, event.NAME or .NAME");
    }
    if (peek(lexer) == ':') {
        lexer->position++;
        while (isalnum((unsigned char)peek(lexer)))
            lexer->position++;
        length = lexer->position - start;
    }
    for (size_t i = 0; i < TT_ARRAY_SIZE(words); i++)
        if (strlen(words[i].name) == length && !memcmp(words[i].name, word, length))
            return read_literal_word(lexer, &words[i]);
    lexer->token->field = (struct tt_query_field){.intrinsic = tt_query_intrinsic_find(word, length)};
    lexer->token->type = TT_TOKEN_FIELD;
    if (!lexer->token->field.intrinsic)
        return fail(lexer, start,
                    "unknown name; texts stand in quotes, attributes have a dot in front (.NAME)");
    return 0;
}

/* ---- tokens ---- */

static const struct {
    const char *text;
    enum tt_query_token_type type;
    enum tt_query_op op;
} signs[] = {
    /* longer ones first */
    {"&&", TT_TOKEN_OPERATOR, TT_OP_AND},
    {"||", TT_TOKEN_OPERATOR, TT_OP_OR},
    {"=~", TT_TOKEN_OPERATOR, TT_OP_RE},
    {"!~", TT_TOKEN_OPERATOR, TT_OP_NRE},
    {"!=", TT_TOKEN_OPERATOR, TT_OP_NE},
    {"<=", TT_TOKEN_OPERATOR, TT_OP_LE},
    {">=", TT_TOKEN_OPERATOR, TT_OP_GE},
    {"=", TT_TOKEN_OPERATOR, TT_OP_EQ},
    {"<", TT_TOKEN_OPERATOR, TT_OP_LT},
    {">", TT_TOKEN_OPERATOR, TT_OP_GT},
    {"!", TT_TOKEN_OPERATOR, TT_OP_NOT},
    {"-", TT_TOKEN_OPERATOR, TT_OP_MINUS},
    {"{", TT_TOKEN_OPEN_BRACE, 0},
    {"}", TT_TOKEN_CLOSE_BRACE, 0},
    {"(", TT_TOKEN_OPEN, 0},
    {")", TT_TOKEN_CLOSE, 0},
};

static int read_sign(struct lexer *lexer)
{
    const char *text = lexer->text + lexer->position;

    for (size_t i = 0; i < TT_ARRAY_SIZE(signs); i++) {
        if (strncmp(text, signs[i].text, strlen(signs[i].text)) != 0)
            continue;
        lexer->token->type = signs[i].type;
        lexer->token->op = signs[i].op;
        lexer->position += strlen(signs[i].text);
        return 0;
    }
    if (*text == '\'')
        return fail(lexer, lexer->position, "texts stand in double quotes (\") or backquotes (`)");
    if (*text == '|')
        return fail(lexer, lexer->position, "a filter has no pipeline; \"or\" is written ||");
    if (*text && strchr("+*/%^", *text))
        return fail(lexer, lexer->position, "calculating is not possible in a filter");
    return fail(lexer, lexer->position, "no operator begins like this");
}

static int read_token(struct lexer *lexer)
{
    char c = peek(lexer);

    if (!c) {
        lexer->token->type = TT_TOKEN_END;
        return 0;
    }
    if (c == '"' || c == '`') {
        lexer->token->type = TT_TOKEN_LITERAL;
        lexer->token->value.type = TT_QUERY_STRING;
        return read_string(lexer, &lexer->token->value.string);
    }
    if (isdigit((unsigned char)c)) {
        lexer->token->type = TT_TOKEN_LITERAL;
        return read_number(lexer, &lexer->token->value);
    }
    if (c == '.') {
        lexer->position++;
        return read_attribute(lexer, TT_SCOPE_BOTH);
    }
    return isalpha((unsigned char)c) || c == '_' ? read_word(lexer) : read_sign(lexer);
}

int tt_query_next_token(const char *text, size_t position, struct tt_arena *arena,
                        struct tt_query_token *token, const char **message, size_t *at)
{
    struct lexer lexer = {text, position, arena, token, message, at};
    int err;

    while (isspace((unsigned char)peek(&lexer)))
        lexer.position++;
    memset(token, 0, sizeof(*token));
    token->start = lexer.position;
    err = read_token(&lexer);
    token->end = lexer.position;
    return err;
}
