package weblog

import (
	"errors"
	"fmt"
	"strings"
)

// A directive is what a server calls a value in its format.
type directive struct {
	field  Field
	kind   kind
	second Field
	clock  Clock // of times
	listed bool  // several may stand here: "a, b : c"
}

// nginxVariables: https://nginx.org/en/docs/varindex.html and ngx_http_log_module. The
// line is written when the request ends.
var nginxVariables = map[string]directive{
	"remote_addr": {field: Client}, "binary_remote_addr": {},
	"remote_port":            {field: ClientPort, kind: number},
	"http_x_forwarded_for":   {field: Forwarded},
	"time_local":             {field: Time, kind: commonTime, clock: AtEnd},
	"time_iso8601":           {field: Time, kind: isoTime, clock: AtEnd},
	"msec":                   {field: Time, kind: unixSeconds, clock: AtEnd},
	"request_time":           {field: Duration, kind: seconds},
	"connection":             {field: Connection, kind: number},
	"connection_requests":    {field: Number, kind: number},
	"status":                 {field: Status},
	"bytes_sent":             {field: Sent, kind: number},
	"body_bytes_sent":        {field: Sent, kind: number},
	"request_length":         {field: Received, kind: number},
	"request":                {field: Request},
	"request_method":         {field: Method},
	"request_uri":            {field: URI},
	"uri":                    {field: URI},
	"server_protocol":        {field: Protocol},
	"host":                   {field: Host},
	"http_host":              {field: Host},
	"server_name":            {field: Host},
	"http_user_agent":        {field: Agent},
	"ssl_protocol":           {field: TLS},
	"ssl_session_reused":     {field: Resumed, kind: resumedLetter},
	"tcpinfo_rtt":            {field: RTT, kind: microseconds},
	"upstream_addr":          {field: Server, listed: true},
	"upstream_connect_time":  {field: ServerConnect, kind: lastSeconds, listed: true},
	"upstream_response_time": {field: ServerTime, kind: lastSeconds, listed: true},
	"upstream_header_time":   {listed: true}, "upstream_status": {listed: true},
	"upstream_response_length": {listed: true}, "upstream_bytes_sent": {listed: true}, "upstream_bytes_received": {listed: true},
}

// apacheDirectives: https://httpd.apache.org/docs/2.4/mod/mod_log_config.html. The time is
// that at which the request had been received.
var apacheDirectives = map[string]directive{
	"h": {field: Client}, "a": {field: Client}, "{c}a": {field: Client},
	"{remote}p":               {field: ClientPort, kind: number},
	"{x-forwarded-for}i":      {field: Forwarded},
	"t":                       {field: Time, kind: bracketedTime, clock: AtStart},
	"{begin}t":                {field: Time, kind: bracketedTime, clock: AtStart},
	"{end}t":                  {field: Time, kind: bracketedTime, clock: AtEnd},
	"{sec}t":                  {field: Time, kind: unixSeconds, clock: AtStart},
	"{msec}t":                 {field: Time, kind: unixMilli, clock: AtStart},
	"{usec}t":                 {field: Time, kind: unixMicro, clock: AtStart},
	"{begin:sec}t":            {field: Time, kind: unixSeconds, clock: AtStart},
	"{begin:msec}t":           {field: Time, kind: unixMilli, clock: AtStart},
	"{begin:usec}t":           {field: Time, kind: unixMicro, clock: AtStart},
	"{end:sec}t":              {field: Time, kind: unixSeconds, clock: AtEnd},
	"{end:msec}t":             {field: Time, kind: unixMilli, clock: AtEnd},
	"{end:usec}t":             {field: Time, kind: unixMicro, clock: AtEnd},
	"{%y-%m-%dt%h:%m:%s%z}t":  {field: Time, kind: isoTime, clock: AtStart},
	"{%y-%m-%dt%t%z}t":        {field: Time, kind: isoTime, clock: AtStart},
	"{%d/%b/%y:%h:%m:%s %z}t": {field: Time, kind: commonTime, clock: AtStart},
	"{%d/%b/%y:%t %z}t":       {field: Time, kind: commonTime, clock: AtStart},
	"d":                       {field: Duration, kind: microseconds},
	"{us}t":                   {field: Duration, kind: microseconds},
	"{ms}t":                   {field: Duration, kind: milliseconds},
	"{s}t":                    {field: Duration, kind: seconds},
	"k":                       {field: Number, kind: fromZero},
	"x":                       {field: State},
	"r":                       {field: Request},
	"m":                       {field: Method},
	"u":                       {field: URI},
	"s":                       {field: Status},
	"b":                       {field: Sent, kind: number},
	"o":                       {field: Sent, kind: number},
	"i":                       {field: Received, kind: number},
	"v":                       {field: Host},
	"{host}i":                 {field: Host},
	"{user-agent}i":           {field: Agent},
	"{ssl_protocol}x":         {field: TLS},
	"{ssl_session_resumed}x":  {field: Resumed, kind: resumedWord},
}

// apacheCased are the letters that mean something else as a capital.
var apacheCased = map[string]directive{
	"T": {field: Duration, kind: seconds}, "H": {field: Protocol}, "U": {field: URI}, "u": {},
	"X": {field: State}, "D": {field: Duration, kind: microseconds}, "V": {field: Host},
	"O": {field: Sent, kind: number}, "I": {field: Received, kind: number}, "B": {field: Sent, kind: number},
	"L": {}, "P": {}, "R": {}, "S": {}, "A": {}, "p": {}, "q": {}, "l": {}, "f": {},
	"F": {}, // varnishncsa has %F as the time in a format; Apache no such
}

// haproxyVariables: HAProxy's configuration manual, section 8.2.6 (log-format). %tr is when
// the request began, %t when the connection was accepted.
var haproxyVariables = map[string]directive{
	"ci": {field: Client}, "cp": {field: ClientPort, kind: number},
	"tr":  {field: Time, kind: haproxyTime, clock: AtStart},
	"t":   {field: Time, kind: haproxyTime, clock: Unstated},
	"Ta":  {field: Duration, kind: milliseconds},
	"Tc":  {field: ServerConnect, kind: zeroMeansKept},
	"Tr":  {field: ServerTime, kind: zeroMeansKept},
	"ST":  {field: Status},
	"B":   {field: Sent, kind: number},
	"U":   {field: Received, kind: number},
	"tsc": {field: State}, "ts": {field: State},
	"r": {field: Request}, "HM": {field: Method}, "HU": {field: URI}, "HV": {field: Protocol},
	"s": {field: Server}, "sslv": {field: TLS},
	"[ssl_fc_is_resumed]": {field: Resumed, kind: resumedWord},
}

// envoyOperators: Envoy's documentation, "Access logging", command operators. The time is
// when the request began.
var envoyOperators = map[string]directive{
	"START_TIME":                             {field: Time, kind: isoTime, clock: AtStart},
	"DURATION":                               {field: Duration, kind: milliseconds},
	"DOWNSTREAM_REMOTE_ADDRESS":              {field: Client, kind: addressPort, second: ClientPort},
	"DOWNSTREAM_DIRECT_REMOTE_ADDRESS":       {field: Client, kind: addressPort, second: ClientPort},
	"DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT": {field: Client},
	"DOWNSTREAM_REMOTE_PORT":                 {field: ClientPort, kind: number},
	"DOWNSTREAM_TLS_VERSION":                 {field: TLS},
	"REQ(X-FORWARDED-FOR)":                   {field: Forwarded},
	"REQ(:AUTHORITY)":                        {field: Host},
	"REQ(:METHOD)":                           {field: Method},
	"REQ(X-ENVOY-ORIGINAL-PATH?:PATH)":       {field: URI},
	"REQ(:PATH)":                             {field: URI},
	"REQ(USER-AGENT)":                        {field: Agent},
	"PROTOCOL":                               {field: Protocol},
	"RESPONSE_CODE":                          {field: Status},
	"RESPONSE_FLAGS":                         {field: State},
	"BYTES_SENT":                             {field: Sent, kind: number},
	"BYTES_RECEIVED":                         {field: Received, kind: number},
	"CONNECTION_ID":                          {field: Connection, kind: number},
	"UPSTREAM_HOST":                          {field: Server},
	"RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)":    {field: ServerTime, kind: milliseconds},
}

// A piece of a format is a literal, or a value.
type piece struct {
	literal string
	value   *directive
}

func literal(s string) piece { return piece{literal: s} }

// valueOf is a value; one that an Entry has no place for is the zero directive.
func valueOf(d directive) piece { return piece{value: &d} }

// Parse makes a layout of a format as a server's configuration has it: the words
// "log_format", "LogFormat" or "log-format" may stand before it, with its name, and
// quotation marks around it. software is nginx, apache, varnish, haproxy or envoy; where
// it is empty, the format tells.
func Parse(software, format string) (*Layout, error) {
	format = strings.TrimSpace(format)
	if software == "" {
		software = softwareOf(format)
	}
	var pieces []piece
	var err error
	switch software {
	case "nginx":
		pieces, err = nginxPieces(unwrap(format, "log_format"))
	case "apache", "varnish":
		pieces, err = apachePieces(unwrap(format, "LogFormat"))
	case "haproxy":
		pieces, err = haproxyPieces(unwrap(format, "log-format"))
	case "envoy":
		pieces, err = envoyPieces(unwrap(format, ""))
	default:
		return nil, errors.New("a log format is one of nginx ($remote_addr …), Apache or varnishncsa (%h …), HAProxy (%ci …) or Envoy (%START_TIME% …): this is none of them")
	}
	if err != nil {
		return nil, err
	}
	l := &Layout{Name: map[string]string{
		"nginx": "nginx log_format", "apache": "Apache LogFormat", "varnish": "varnishncsa format",
		"haproxy": "HAProxy log-format", "envoy": "Envoy format string",
	}[software]}
	return l, l.compile(pieces)
}

// softwareOf tells whose format it is.
func softwareOf(format string) string {
	switch {
	case strings.Contains(format, "$"):
		return "nginx"
	case strings.Contains(format, "%START_TIME") || strings.Contains(format, "%RESPONSE_CODE%"):
		return "envoy"
	case strings.Contains(format, "%ci") || strings.Contains(format, "%ST") || strings.Contains(format, "%tr"):
		return "haproxy"
	case strings.Contains(format, "%"):
		return "apache"
	}
	return ""
}

// unwrap takes what stands around a format in a configuration off it: nginx may have it in
// several strings one after the other.
func unwrap(format, word string) string {
	format = strings.TrimSuffix(strings.TrimSpace(format), ";")
	rest, has := strings.CutPrefix(format, word)
	if has && word != "" {
		format = strings.TrimSpace(rest)
	}
	first := strings.IndexAny(format, `"'`)
	switch {
	case first < 0:
		return format
	case first > 0 && !(has && word != ""):
		return format // it is no wrapping, but a part of the format
	}
	mark := format[first]
	// A format that begins with a quotation mark that does not end it is not wrapped.
	if end := closing(format, first); end < 0 || !has && end != len(format)-1 && mark == '"' {
		return format
	}
	var b strings.Builder
	for at := first; at >= 0 && at < len(format); {
		end := closing(format, at)
		if end < 0 {
			break
		}
		b.WriteString(unescape(format[at+1:end], format[at]))
		next := strings.IndexAny(format[end+1:], `"'`)
		if next < 0 || word != "log_format" {
			break
		}
		at = end + 1 + next
	}
	return b.String()
}

func closing(s string, at int) int {
	for i := at + 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case s[at]:
			return i
		}
	}
	return -1
}

// unescape takes the backslashes from quotation marks; \t is a tab in all of them.
func unescape(s string, mark byte) string {
	return strings.NewReplacer(`\`+string(mark), string(mark), `\\`, `\`, `\t`, "\t").Replace(s)
}

// piecesOf cuts a format at a mark. What stands behind a mark is read by after, which returns
// its pieces and the rest of the format.
func piecesOf(format, mark string, after func(rest string) ([]piece, string, error)) ([]piece, error) {
	var pieces []piece
	for len(format) > 0 {
		plain, rest, has := strings.Cut(format, mark)
		pieces = append(pieces, literal(plain))
		if !has {
			break
		}
		more, rest, err := after(rest)
		if err != nil {
			return nil, err
		}
		pieces, format = append(pieces, more...), rest
	}
	return pieces, nil
}

func nginxPieces(format string) ([]piece, error) {
	return piecesOf(format, "$", func(rest string) ([]piece, string, error) {
		var name string
		if inner, braced := strings.CutPrefix(rest, "{"); braced {
			var has bool
			if name, rest, has = strings.Cut(inner, "}"); !has {
				return nil, "", errors.New("a ${ of the format has no }")
			}
		} else {
			name, rest = cutWhere(rest, func(r rune) bool {
				return r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
			})
		}
		if name == "" {
			return nil, "", errors.New("a $ of the format has no name behind it")
		}
		return []piece{valueOf(nginxVariables[name])}, rest, nil
	})
}

// cutWhere cuts s before the first rune that ends a name.
func cutWhere(s string, ends func(rune) bool) (name, rest string) {
	if end := strings.IndexFunc(s, ends); end >= 0 {
		return s[:end], s[end:]
	}
	return s, ""
}

// cutThrough cuts s, which begins with a bracket, behind the one that closes it.
func cutThrough(s string, closes byte) (name, rest string, err error) {
	end := strings.IndexByte(s, closes)
	if end < 0 {
		return "", "", fmt.Errorf("a %%%c of the format has no %c", s[0], closes)
	}
	return s[:end+1], s[end+1:], nil
}

func apachePieces(format string) ([]piece, error) {
	// An unquoted log format on a command line has \" for ".
	format = strings.ReplaceAll(format, `\"`, `"`)
	return piecesOf(format, "%", func(rest string) (_ []piece, _ string, err error) {
		if after, twice := strings.CutPrefix(rest, "%"); twice {
			return []piece{literal("%")}, after, nil
		}
		// Status codes that it is limited to, and which of several requests: %400,501s, %>s.
		rest = strings.TrimLeft(rest, "!,<>0123456789")
		name := ""
		if strings.HasPrefix(rest, "{") {
			if name, rest, err = cutThrough(rest, '}'); err != nil {
				return nil, "", err
			}
		}
		if strings.HasPrefix(rest, "^") && len(rest) >= 3 { // %^FB and the like
			name, rest = name+rest[:3], rest[3:]
		} else if rest == "" {
			return nil, "", errors.New("a % of the format has no letter behind it")
		} else {
			name, rest = name+rest[:1], rest[1:]
		}
		d, err := apacheDirective(name)
		return []piece{valueOf(d)}, rest, err
	})
}

func apacheDirective(name string) (directive, error) {
	letter := name[len(name)-1]
	switch {
	case len(name) == 1:
		if d, ok := apacheCased[name]; ok {
			return d, nil
		}
	case letter == 'T':
		return apacheDirectives[strings.ToLower(name)], nil
	case letter == 't':
		if d, ok := apacheDirectives[strings.ToLower(name)]; ok && d.field == Time {
			return d, nil
		}
		return directive{}, fmt.Errorf("the time %%%s is not read: use %%t, %%{msec}t, %%{usec}t or %%{%%Y-%%m-%%dT%%H:%%M:%%S%%z}t", name)
	}
	return apacheDirectives[strings.ToLower(name)], nil
}

func haproxyPieces(format string) ([]piece, error) {
	format = strings.ReplaceAll(format, `\ `, " ")
	return piecesOf(format, "%", func(rest string) (_ []piece, _ string, err error) {
		if after, twice := strings.CutPrefix(rest, "%"); twice {
			return []piece{literal("%")}, after, nil
		}
		quoted := false
		if strings.HasPrefix(rest, "{") {
			flags, after, ok := strings.Cut(rest[1:], "}")
			if !ok {
				return nil, "", errors.New("a %{ of the format has no }")
			}
			quoted, rest = strings.Contains(flags, "+Q"), after
		}
		var name string
		if strings.HasPrefix(rest, "[") {
			if name, rest, err = cutThrough(rest, ']'); err != nil {
				return nil, "", err
			}
		} else {
			name, rest = cutWhere(rest, func(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') })
		}
		value := valueOf(haproxyVariables[name])
		switch {
		case name == "hr" || name == "hs":
			// Headers that were captured: where there are none, nothing is written, not even
			// a second blank. They count as the end of what stands before them.
			return nil, strings.TrimPrefix(rest, " "), nil
		case quoted:
			return []piece{literal(`"`), value, literal(`"`)}, rest, nil
		default:
			return []piece{value}, rest, nil
		}
	})
}

func envoyPieces(format string) ([]piece, error) {
	format = strings.TrimSuffix(strings.TrimSuffix(format, `\n`), "\n")
	return piecesOf(format, "%", func(rest string) ([]piece, string, error) {
		name, rest, has := strings.Cut(rest, "%")
		if !has {
			return nil, "", errors.New("a % of the format has no second one")
		}
		// START_TIME may have a format of its own in brackets, and each a length at most.
		if end := strings.LastIndexByte(name, ')'); end >= 0 {
			name = name[:end+1]
			if strings.HasPrefix(name, "START_TIME(") && !strings.HasPrefix(name, "START_TIME(%Y-%m-%dT%H:%M:%S") {
				return nil, "", fmt.Errorf("the time %%%s%% is not read: use %%START_TIME%%", name)
			}
		} else {
			name, _, _ = strings.Cut(name, ":")
		}
		return []piece{valueOf(envoyOperators[name])}, rest, nil
	})
}

// compile makes steps of the pieces.
func (l *Layout) compile(pieces []piece) error {
	var steps []step
	before, between := "", ""
	for _, p := range pieces {
		if p.value == nil {
			between += p.literal
			continue
		}
		switch {
		case len(steps) == 0:
			before = between
		case between == "":
			return errors.New("two values of the format stand side by side, so that nothing tells where one ends: put a blank between them")
		default:
			steps[len(steps)-1].after = between
		}
		steps = append(steps, step{field: p.value.field, kind: p.value.kind, second: p.value.second, clock: p.value.clock, listed: p.value.listed})
		between = ""
	}
	if len(steps) == 0 {
		return errors.New("the format has no values")
	}
	steps[len(steps)-1].after = between
	steps = joinPorts(steps)
	opened := before
	for i := range steps {
		steps[i].quoted = strings.HasSuffix(opened, `"`) && strings.HasPrefix(steps[i].after, `"`)
		opened = steps[i].after
	}
	steps[0].before = before
	l.steps = steps
	l.choose()
	if !l.Has.Has(Time) {
		return errors.New("the format has no time: nothing can be said of gaps without one")
	}
	return nil
}

// joinPorts makes one value of an address and its port, since an IPv6 address has colons
// of its own.
func joinPorts(steps []step) []step {
	for i := 0; i+1 < len(steps); i++ {
		if steps[i].field == Client && steps[i].after == ":" && steps[i+1].field == ClientPort {
			steps[i].kind, steps[i].second, steps[i].after = addressPort, ClientPort, steps[i+1].after
			steps = append(steps[:i+1], steps[i+2:]...)
		}
	}
	return steps
}

// choose keeps one of several values of the same field: of times the finest, of others
// the first.
func (l *Layout) choose() {
	var chosen [numFields]int // from 1
	for i, s := range l.steps {
		had := chosen[s.field]
		if had == 0 || s.field == Time && s.kind.resolution() < l.steps[had-1].kind.resolution() {
			chosen[s.field] = i + 1
		}
	}
	for i := range l.steps {
		s := &l.steps[i]
		switch {
		case s.kind == dayOf || s.kind == timeOf:
			// They are two parts of one time.
		case s.kind == partSeconds:
		case chosen[s.field] != i+1:
			s.field, s.second = Ignored, Ignored
		}
		if s.field == Time {
			l.Clock = s.clock
		}
	}
	l.derive()
}
