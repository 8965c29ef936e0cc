package weblog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// nginx's and the others' formats that many people have, as their documents give them.
const (
	// https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/log-format
	ingressFormat = `$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" $request_length $request_time [$proxy_upstream_name] [$proxy_alternative_upstream_name] $upstream_addr $upstream_response_length $upstream_response_time $upstream_status $req_id`
	// HAProxy's configuration manual, 8.2.3 and 8.2.5.
	haproxyHTTP  = `%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc %ac/%fc/%bc/%sc/%rc %sq/%bq %hr %hs %{+Q}r`
	haproxyHTTPS = haproxyHTTP + ` %[fc_err]/%[ssl_fc_err,hex]/%[ssl_c_err]/%[ssl_c_ca_err]/%[ssl_fc_is_resumed] %[ssl_fc_sni]/%sslv/%sslc`
	// Envoy's documentation, "Default format string".
	envoyDefault = `[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"`
)

// named are the values of the formats below, which no server's language writes.
var named = map[string]directive{
	"client":       {field: Client},
	"client:port":  {field: Client, kind: addressPort, second: ClientPort},
	"host":         {field: Host},
	"common":       {field: Time, kind: commonTime},
	"common-start": {field: Time, kind: commonTime, clock: AtStart},
	"iso-end":      {field: Time, kind: isoTime, clock: AtEnd},
	"unix-end":     {field: Time, kind: unixSeconds, clock: AtEnd},
	"request":      {field: Request},
	"method":       {field: Method},
	"uri":          {field: URI},
	"agent":        {field: Agent},
	"status":       {field: Status},
	"x/status":     {field: Status, kind: slashStatus},
	"sent":         {field: Sent, kind: number},
	"received":     {field: Received, kind: number},
	"server":       {field: Server},
	"server-time":  {field: ServerTime, kind: seconds},
	"ms":           {field: Duration, kind: milliseconds},
	"12ms":         {field: Duration, kind: durationMS},
	"part":         {field: Duration, kind: partSeconds},
	"tls":          {field: TLS},
}

const (
	common   = `<client> <-> <-> [<common>] "<request>" <status> <sent>`
	combined = common + ` "<->" "<agent>"`
)

// texts are the formats that are found by themselves, the particular ones first.
var texts = []struct{ name, format string }{
	// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html:
	// the time is when the answer had been made.
	{"AWS ALB", `<-> <iso-end> <-> <client:port> <server> <part> <part> <part> <status> <-> <received> <sent> "<request>" "<agent>" <-> <tls> <->`},
	// https://doc.traefik.io/traefik/observe/logs-and-access-logs: combined, and four more.
	{"Traefik", strings.Replace(combined, "<common>", "<common-start>", 1) + ` <-> "<->" "<server>" <12ms>`},
	// Debian's vhost_combined.
	{"vhost_combined", `<host>:<-> ` + combined},
	// http://www.squid-cache.org/Doc/config/logformat: the time is when the answer had been sent.
	{"Squid", `<unix-end> <ms> <client> <x/status> <sent> <method> <uri> <-> <-> <->`},
	{"combined", combined},
	{"common", common},
	{"combined and more", combined + ` <->`},
}

// templated makes pieces of such a format.
func templated(format string) ([]piece, error) {
	return piecesOf(format, "<", func(rest string) ([]piece, string, error) {
		name, rest, _ := strings.Cut(rest, ">")
		return []piece{valueOf(named[name])}, rest, nil
	})
}

// known returns the layouts of text that are found by themselves.
func known() []*Layout {
	var all []*Layout
	add := func(name string, pieces []piece, err error) {
		l := &Layout{Name: name}
		if err == nil {
			err = l.compile(pieces)
		}
		if err != nil {
			panic("weblog: " + name + ": " + err.Error()) // a slip in this file
		}
		if name == "Squid" {
			l.steps[1].padded = true
		}
		all = append(all, l)
	}
	for _, f := range []struct{ name, format string }{{"HAProxy httpslog", haproxyHTTPS}, {"HAProxy httplog", haproxyHTTP}} {
		pieces, err := haproxyPieces(f.format)
		add(f.name, pieces, err)
	}
	pieces, err := envoyPieces(envoyDefault)
	add("Envoy", pieces, err)
	pieces, err = nginxPieces(ingressFormat)
	add("ingress-nginx", pieces, err)
	for _, f := range texts {
		pieces, err := templated(f.format)
		add(f.name, pieces, err)
	}
	return all
}

// objects are the logs in JSON of known software: the names that tell it, and its values.
var objects = []struct {
	name  string
	tells []string // paths, their parts divided by >
	clock Clock
	keys  map[string]directive
}{
	// https://caddyserver.com/docs/logging: written when the request has been answered.
	{"Caddy JSON", []string{"request>method", "duration", "ts"}, AtEnd, map[string]directive{
		"ts": {field: Time, kind: anyTime}, "status": {field: Status}, "size": {field: Sent, kind: number},
		"bytes_read": {field: Received, kind: number}, "duration": {field: Duration, kind: seconds},
		"request>remote_ip": {field: Client}, "request>remote_port": {field: ClientPort, kind: number},
		"request>remote_addr":             {field: Client, kind: addressPort, second: ClientPort},
		"request>headers>X-Forwarded-For": {field: Forwarded}, "request>headers>User-Agent": {field: Agent},
		"request>method": {field: Method}, "request>uri": {field: URI}, "request>host": {field: Host},
		"request>proto": {field: Protocol}, "request>tls>resumed": {field: Resumed, kind: resumedWord},
		"request>tls>version": {field: TLS},
	}},
	// https://doc.traefik.io/traefik/observe/logs-and-access-logs
	{"Traefik JSON", []string{"StartUTC", "DownstreamStatus"}, AtStart, map[string]directive{
		"StartUTC": {field: Time, kind: anyTime}, "DownstreamStatus": {field: Status},
		"DownstreamContentSize": {field: Sent, kind: number}, "RequestContentSize": {field: Received, kind: number},
		"Duration": {field: Duration, kind: nanoseconds}, "OriginDuration": {field: ServerTime, kind: nanoseconds},
		"ClientHost": {field: Client}, "ClientPort": {field: ClientPort, kind: number}, "RequestHost": {field: Host},
		"RequestMethod": {field: Method}, "RequestPath": {field: URI}, "RequestProtocol": {field: Protocol},
		"ServiceAddr": {field: Server}, "TLSVersion": {field: TLS}, "request_X-Forwarded-For": {field: Forwarded},
		"request_User-Agent": {field: Agent},
	}},
	// Envoy's documentation, and Istio's default (https://istio.io: "Envoy Access Logs").
	{"Envoy JSON", []string{"start_time", "response_code"}, AtStart, map[string]directive{
		"start_time": {field: Time, kind: anyTime}, "response_code": {field: Status},
		"bytes_sent": {field: Sent, kind: number}, "bytes_received": {field: Received, kind: number},
		"duration": {field: Duration, kind: milliseconds}, "upstream_service_time": {field: ServerTime, kind: milliseconds},
		"downstream_remote_address": {field: Client, kind: addressPort, second: ClientPort},
		"connection_id":             {field: Connection, kind: number}, "authority": {field: Host}, "method": {field: Method},
		"path": {field: URI}, "protocol": {field: Protocol}, "response_flags": {field: State},
		"upstream_host": {field: Server}, "x_forwarded_for": {field: Forwarded}, "user_agent": {field: Agent},
		"downstream_tls_version": {field: TLS},
	}},
}

// synonyms are names that people give to values in JSON of their own, besides nginx's for
// its variables, and the order in which they are looked for.
var synonyms = []struct {
	path string
	directive
}{
	{"@timestamp", directive{field: Time, kind: anyTime}}, {"timestamp", directive{field: Time, kind: anyTime}},
	{"time", directive{field: Time, kind: anyTime}}, {"ts", directive{field: Time, kind: anyTime}},
	{"client", directive{field: Client}}, {"client_ip", directive{field: Client}}, {"clientip", directive{field: Client}},
	{"remote_ip", directive{field: Client}}, {"remoteAddr", directive{field: Client}}, {"ip", directive{field: Client}},
	{"client_port", directive{field: ClientPort, kind: number}}, {"remotePort", directive{field: ClientPort, kind: number}},
	{"x_forwarded_for", directive{field: Forwarded}}, {"code", directive{field: Status}},
	{"connection_id", directive{field: Connection, kind: number}},
	{"bytes", directive{field: Sent, kind: number}}, {"user_agent", directive{field: Agent}}, {"method", directive{field: Method}},
	{"path", directive{field: URI}}, {"protocol", directive{field: Protocol}},
}

// units are the ways to write a duration that a name of one's own may be given.
var units = map[string]kind{"s": seconds, "ms": milliseconds, "us": microseconds, "ns": nanoseconds}

// ParseJSON makes a layout of names of one's own: "time=ts,client=req>ip,duration=took:ms".
// On the left stand the fields by their names (of a Field, with "-" for blanks), on the
// right the names in the lines, those of objects within objects divided by ">"; durations
// have their unit behind a colon.
func ParseJSON(names string, c Clock) (*Layout, error) {
	l := &Layout{Name: "JSON", Clock: c, keys: &keys{}}
	for pair := range strings.SplitSeq(names, ",") {
		name, path, ok := strings.Cut(strings.TrimSpace(pair), "=")
		f := Field(slices.Index(fieldNames[:], strings.ReplaceAll(name, "-", " ")))
		if !ok || path == "" || f == Ignored || f >= numFields {
			return nil, fmt.Errorf("%q is no FIELD=NAME; fields are %s", pair, strings.ReplaceAll(strings.Join(fieldNames[1:], ", "), " ", "-"))
		}
		k := plainKind(f)
		if k == seconds {
			unit := ""
			if path, unit, ok = cutLast(path, ":"); !ok || units[unit] == text {
				return nil, fmt.Errorf("%q lacks its unit: %s=%s:ms, or :s, :us, :ns", pair, name, path)
			}
			k = units[unit]
		}
		l.keys.add(key{path: strings.Split(path, ">"), field: f, kind: k})
	}
	l.derive()
	if !l.Has.Has(Time) {
		return nil, errors.New("the names lack the time: nothing can be said of gaps without one")
	}
	return l, nil
}

func cutLast(s, sep string) (string, string, bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// plainKind is how a field is written, if nothing else is said of it; seconds stands for
// all durations.
func plainKind(f Field) kind {
	switch f {
	case Time:
		return anyTime
	case Duration, RTT, ServerConnect, ServerTime:
		return seconds
	case ClientPort, Connection, Number, Sent, Received:
		return number
	case Resumed:
		return resumedWord
	}
	return text
}

// ofObject makes a layout for lines like this one; nil if it is not JSON or has no time.
func ofObject(line []byte) *Layout {
	var has map[string]any
	if json.Unmarshal(line, &has) != nil {
		return nil
	}
	for _, o := range objects {
		if slices.ContainsFunc(o.tells, func(path string) bool { return !hasPath(has, path) }) {
			continue
		}
		l := &Layout{Name: o.name, Clock: o.clock, keys: &keys{}}
		for path, d := range o.keys {
			if hasPath(has, path) || d.field != Client && d.field != ClientPort {
				l.keys.add(key{path: strings.Split(path, ">"), field: d.field, kind: d.kind, second: d.second})
			}
		}
		l.derive()
		return l
	}
	l := &Layout{Name: "JSON", keys: &keys{}}
	var taken Fields
	add := func(path string, d directive) {
		if _, ok := has[path]; !ok || d.field == Ignored || taken.Has(d.field) {
			return
		}
		taken |= Of(d.field)
		l.keys.add(key{path: []string{path}, field: d.field, kind: d.kind})
		if d.field == Time {
			l.Clock = d.clock
		}
	}
	for _, name := range sortedNames(nginxVariables) { // the finest time first
		add(name, nginxVariables[name])
	}
	for _, s := range synonyms {
		add(s.path, s.directive)
	}
	if l.derive(); !l.Has.Has(Time) {
		return nil
	}
	return l
}

// sortedNames puts msec before the times of whole seconds, and bytes_sent before those of
// the body alone.
func sortedNames(m map[string]directive) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	rank := func(name string) int { return slices.Index([]string{"msec", "time_iso8601", "bytes_sent"}, name) }
	slices.SortFunc(names, func(a, b string) int {
		ra, rb := rank(a), rank(b)
		switch {
		case ra >= 0 && rb >= 0:
			return ra - rb
		case ra >= 0:
			return -1
		case rb >= 0:
			return 1
		}
		return strings.Compare(a, b)
	})
	return names
}

func hasPath(object map[string]any, path string) bool {
	name, rest, more := strings.Cut(path, ">")
	v, ok := object[name]
	if !ok || !more {
		return ok
	}
	inner, ok := v.(map[string]any)
	return ok && hasPath(inner, rest)
}

// detectLines is how many lines are tried at most, and detectShare how many of them must
// be of a layout.
const (
	detectLines = 200
	detectShare = 0.9
)

// Detect finds the layout of a log from its first lines.
func Detect(block []byte) (*Layout, error) {
	var lines [][]byte
	for line := range bytes.Lines(block) {
		line = bytes.TrimRight(line, "\r\n")
		if len(line) > 0 && len(lines) < detectLines {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return nil, errors.New("it is empty")
	}
	if l := ofDirective(lines); l != nil {
		return l, nil
	}
	if lines[0][0] == '{' {
		if l := ofObject(lines[0]); l != nil && share(l, lines) >= detectShare {
			return l, nil
		}
		return nil, errors.New("its lines are JSON without a time that is known: name the fields, --log-fields 'time=ts,client=remote_ip,duration=took:ms'")
	}
	for _, l := range known() {
		if share(l, lines) >= detectShare {
			return l, nil
		}
	}
	return nil, fmt.Errorf("its format is none that is known: give the server's own, --log-format '$remote_addr …'; the first line is %.120q", lines[0])
}

// share returns how many of the lines are of the layout, to their ends.
func share(l *Layout, lines [][]byte) float64 {
	p := NewParser(l, ^Fields(0))
	p.strict = true
	p.use(l.steps)
	good := 0
	for _, line := range lines {
		if p.parse(line) {
			good++
		}
	}
	return float64(good) / float64(len(lines))
}

// bySyslog reports whether a log daemon's head stands before the line: its priority, or
// the month (RFC 3164, section 4.1.2).
func bySyslog(line []byte) bool {
	return len(line) > 16 && (line[0] == '<' || line[3] == ' ' && line[6] == ' ' && line[9] == ':' && line[12] == ':')
}

// afterSyslog returns what stands behind the head that a log daemon has written (RFC 3164,
// section 4.1.3: "program[123]: ", "program: "; RFC 5424: "<134>1 … - - "); the line
// itself where there is none.
func afterSyslog(line []byte) []byte {
	head := line[:min(len(line), 256)]
	if i := bytes.Index(head, []byte("]: ")); i >= 0 {
		return line[i+3:]
	}
	if i := bytes.Index(head, []byte(": ")); i >= 0 {
		return line[i+2:]
	}
	if i := bytes.Index(head, []byte(" - - ")); i >= 0 && len(head) > 0 && head[0] == '<' {
		return line[i+5:]
	}
	return line
}
