package linger

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Bounds of a list: what is longer is no list.
const (
	maxListLine  = 16 << 10
	maxListLines = 1_000_000
)

// ParseList reads a workload in the plain format, one exchange a line:
//
//	# path        bytes   depends on   options
//	/             43008   -
//	/style.css     5120   /            at=600
//	POST:/log         0   /style.css   status=204 think=50ms
//
// The path may have a method before it; GET is understood. An exchange depends
// on the one of that path, which may stand anywhere in the list, or on none: "-", or
// nothing. What follows a blank and a # is a comment.
//
// The options are at=BYTES (how much of the parent's body must have arrived; all
// of it is understood), think= and delay= with a duration, status=, type= (the
// content type; without it, the path's ending says), body= (bytes of the request's
// content), head= and request-head= (bytes that a response's and a request's head
// is padded to).
//
// A path of another origin has that before it, as "//cdn.example/logo.png"; the
// option rtt= says how much longer a round trip to that origin takes.
//
// An error names the line, what is wrong and what to do.
func ParseList(name string, r io.Reader) (Workload, error) {
	lines, err := readList(r)
	if err != nil {
		return Workload{}, err
	}
	if err := linkList(lines); err != nil {
		return Workload{}, err
	}
	order, err := sortList(lines)
	if err != nil {
		return Workload{}, err
	}
	origins, err := originsOf(lines)
	if err != nil {
		return Workload{}, err
	}
	w := Workload{Name: name, Description: "A list of " + Plural(len(order), "exchange") + ".", Scheme: SchemeHTTP, Origins: origins}
	place := make([]int, len(lines))
	for i, l := range order {
		place[l] = i
		line := &lines[l]
		if p := line.parent; p != NoParent {
			line.exchange.Parent = place[p]
			if !line.placed {
				line.exchange.At = lines[p].exchange.ResponseBody
			}
		}
		w.Exchanges = append(w.Exchanges, line.exchange)
		if err := line.exchange.validate(i, w.Exchanges); err != nil {
			return Workload{}, line.errorf("%w; correct it", err)
		}
	}
	return w, w.Validate()
}

// A listLine is one exchange on its way from the text to the workload.
type listLine struct {
	number   int
	key      string             // as another line names it: METHOD:/path
	origin   string             // by name; empty is the one without
	extra    Opt[time.Duration] // of a round trip to it
	depends  string             // as written; empty for none
	parent   int                // index of the line that it depends on, or NoParent
	placed   bool               // at= is given
	exchange Exchange
}

func (l *listLine) errorf(format string, args ...any) error {
	return fmt.Errorf("line %d: "+format, append([]any{l.number}, args...)...)
}

func readList(r io.Reader) ([]listLine, error) {
	var lines []listLine
	scan := bufio.NewScanner(r)
	scan.Buffer(nil, maxListLine)
	number := 0
	for scan.Scan() {
		number++
		if number > maxListLines {
			return nil, fmt.Errorf("line %d: a list has at most %d lines; is this a list?", number, maxListLines)
		}
		fields := strings.Fields(strings.TrimPrefix(scan.Text(), "\ufeff"))
		for i, f := range fields {
			if f[0] == '#' {
				fields = fields[:i]
				break
			}
		}
		if len(fields) == 0 {
			continue
		}
		if len(lines) == MaxExchanges {
			return nil, fmt.Errorf("line %d: one run holds at most %d exchanges; shorten the list", number, MaxExchanges)
		}
		line := listLine{number: number, parent: NoParent}
		if err := line.parse(fields); err != nil {
			return nil, err
		}
		lines = append(lines, line)
	}
	if err := scan.Err(); errors.Is(err, bufio.ErrTooLong) {
		return nil, fmt.Errorf("line %d: longer than %d bytes; is this a list?", number+1, maxListLine)
	} else if err != nil {
		return nil, fmt.Errorf("line %d: %w", number+1, err)
	}
	if len(lines) == 0 {
		return nil, errors.New("the list is empty; write one exchange a line: PATH BYTES [DEPENDS-ON]")
	}
	return lines, nil
}

// parse reads the fields of a line, one or more.
func (l *listLine) parse(fields []string) error {
	if len(fields) < 2 {
		return l.errorf("%q has no size; write PATH BYTES [DEPENDS-ON]", fields[0])
	}
	e := &l.exchange
	e.Method, l.origin, e.Path = splitKey(fields[0])
	l.key = join(e.Method, l.origin, e.Path)
	size, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return l.errorf("%q is not a number of bytes; write digits only", fields[1])
	}
	if size < 0 || size > MaxBody {
		return l.errorf("a body of %d bytes; write 0 to %d", size, int64(MaxBody))
	}
	e.ResponseBody, e.Status, e.ContentType, e.Parent = size, 200, typeOf(e.Path), NoParent
	options := fields[2:]
	if len(options) > 0 && !strings.Contains(optionKey(options[0]), "=") {
		if options[0] != "-" {
			l.depends = options[0]
		}
		options = options[1:]
	}
	for _, o := range options {
		if err := l.option(o); err != nil {
			return err
		}
	}
	if l.placed && l.depends == "" {
		return l.errorf("at= says where in its parent it is named, yet it depends on nothing; name the parent, or leave at= out")
	}
	return nil
}

// splitKey takes METHOD:/path and METHOD://origin/path apart; without a method it is
// GET.
func splitKey(s string) (method, origin, path string) {
	method, path = "GET", s
	if m, p, ok := strings.Cut(s, ":"); ok && !strings.Contains(m, "/") {
		method, path = m, p
	}
	if rest, ok := strings.CutPrefix(path, "//"); ok {
		if i := strings.IndexByte(rest, '/'); i >= 0 {
			return method, strings.ToLower(rest[:i]), rest[i:]
		}
		return method, strings.ToLower(rest), "/"
	}
	return method, "", path
}

// join is the one spelling of a key in which all parts stand.
func join(method, origin, path string) string { return method + "://" + origin + path }

// originsOf gives each line its origin, and returns those that there are, in the
// order of the list; none where no line names one.
func originsOf(lines []listLine) ([]Origin, error) {
	var origins []Origin
	index := map[string]int{}
	for i := range lines {
		l := &lines[i]
		at, ok := index[l.origin]
		if !ok {
			if !isAuthority(l.origin) {
				return nil, l.errorf("%q is no host, and no host:port; write //cdn.example/path", l.origin)
			}
			at = len(origins)
			index[l.origin] = at
			origins = append(origins, Origin{Name: l.origin})
		}
		l.exchange.Origin = at
		if extra, ok := l.extra.Get(); ok {
			if was, ok := origins[at].ExtraRTT.Get(); ok && was != extra {
				return nil, l.errorf("rtt=%v, where another line of that origin says %v; give it once", extra, was)
			}
			origins[at].ExtraRTT = l.extra
		}
	}
	if len(origins) == 1 && origins[0] == (Origin{}) {
		return nil, nil
	}
	return origins, nil
}

// optionKey returns the part of a field that tells an option from a path, which
// may have an = behind its first slash.
func optionKey(field string) string {
	head, _, _ := strings.Cut(field, "/")
	return head
}

var listOptions = []string{"at", "think", "delay", "status", "type", "body", "head", "request-head", "rtt"}

func (l *listLine) option(field string) error {
	key, value, ok := strings.Cut(field, "=")
	if !ok {
		return l.errorf("%q is not an option; write KEY=VALUE, the keys being %s", field, strings.Join(listOptions, ", "))
	}
	e := &l.exchange
	var err error
	switch key {
	case "at":
		l.placed = true
		e.At, err = strconv.ParseInt(value, 10, 64)
	case "think":
		e.Think, err = time.ParseDuration(value)
	case "delay":
		e.Delay, err = time.ParseDuration(value)
	case "status":
		e.Status, err = strconv.Atoi(value)
	case "type":
		e.ContentType = value
	case "body":
		e.RequestBody, err = strconv.ParseInt(value, 10, 64)
	case "head":
		e.ResponseHead, err = strconv.Atoi(value)
	case "request-head":
		e.RequestHead, err = strconv.Atoi(value)
	case "rtt":
		var extra time.Duration
		extra, err = time.ParseDuration(value)
		l.extra = Known(extra)
	default:
		return l.errorf("%w", unknown("option", key, listOptions, "as in "+listOptions[0]+"=600"))
	}
	if err != nil {
		return l.errorf("%s=%s: not a value that it can have; write a number, with a unit where it is a time (50ms)", key, value)
	}
	return nil
}

// linkList finds each line's parent.
func linkList(lines []listLine) error {
	byKey := make(map[string]int, len(lines))
	for i := range lines {
		l := &lines[i]
		if first, ok := byKey[l.key]; ok {
			return l.errorf("%s %s stands on line %d already; make the paths differ", l.exchange.Method, l.exchange.Path, lines[first].number)
		}
		byKey[l.key] = i
	}
	for i := range lines {
		l := &lines[i]
		if l.depends == "" {
			continue
		}
		parent, ok := byKey[join(splitKey(l.depends))]
		if !ok {
			return l.errorf("%s depends on %s, which no line has; add that line, or correct the name", l.exchange.Path, l.depends)
		}
		l.parent = parent
	}
	return nil
}

// sortList returns the lines in their order, but each parent before its children.
func sortList(lines []listLine) ([]int, error) {
	const (
		unseen = iota
		climbed
		placed
	)
	state := make([]int, len(lines))
	order := make([]int, 0, len(lines))
	for i := range lines {
		var climb []int // from line i up to the first that is placed
		for p := i; p != NoParent && state[p] != placed; p = lines[p].parent {
			if state[p] == climbed {
				return nil, lines[p].errorf("%s depends on itself: %s; let one of them depend on another", lines[p].exchange.Path, cycle(lines, p))
			}
			state[p] = climbed
			climb = append(climb, p)
		}
		for _, p := range slices.Backward(climb) {
			state[p] = placed
			order = append(order, p)
		}
	}
	return order, nil
}

// cycle spells the way from line i back to itself: "/a on /b on /a".
func cycle(lines []listLine, i int) string {
	out := lines[i].exchange.Path
	for p, n := lines[i].parent, 1; ; p, n = lines[p].parent, n+1 {
		if n == 8 && p != i {
			return out + " on ..."
		}
		out += " on " + lines[p].exchange.Path
		if p == i {
			return out
		}
	}
}

// WriteList writes w in the format that ParseList reads.
func (w Workload) WriteList(out io.Writer) error {
	b := bufio.NewWriter(out)
	fmt.Fprintf(b, "# %s", w.Name)
	if w.Description != "" {
		fmt.Fprintf(b, ": %s", strings.Join(strings.Fields(w.Description), " "))
	}
	fmt.Fprint(b, "\n# path bytes depends-on options\n")
	told := make([]bool, w.OriginCount())
	for i, e := range w.Exchanges {
		fmt.Fprintf(b, "%s %d", w.keyOf(i), e.ResponseBody)
		if e.Parent == NoParent {
			fmt.Fprint(b, " -")
		} else {
			parent := w.Exchanges[e.Parent]
			fmt.Fprintf(b, " %s", w.keyOf(e.Parent))
			if e.At != parent.ResponseBody {
				fmt.Fprintf(b, " at=%d", e.At)
			}
		}
		if e.Think != 0 {
			fmt.Fprintf(b, " think=%v", e.Think)
		}
		if e.Delay != 0 {
			fmt.Fprintf(b, " delay=%v", e.Delay)
		}
		if e.Status != 200 {
			fmt.Fprintf(b, " status=%d", e.Status)
		}
		if e.ContentType != typeOf(e.Path) {
			fmt.Fprintf(b, " type=%s", strings.Join(strings.Fields(e.ContentType), ""))
		}
		if e.RequestBody != 0 {
			fmt.Fprintf(b, " body=%d", e.RequestBody)
		}
		if e.ResponseHead != 0 {
			fmt.Fprintf(b, " head=%d", e.ResponseHead)
		}
		if e.RequestHead != 0 {
			fmt.Fprintf(b, " request-head=%d", e.RequestHead)
		}
		if len(w.Origins) > 0 && !told[e.Origin] {
			if extra, ok := w.Origins[e.Origin].ExtraRTT.Get(); ok {
				fmt.Fprintf(b, " rtt=%v", extra)
			}
			told[e.Origin] = true
		}
		fmt.Fprintln(b)
	}
	return b.Flush()
}

// keyOf is how a line names exchange i: its path, with the origin's name before it
// if it has one, and the method before all unless that is GET.
func (w Workload) keyOf(i int) string {
	e := w.Exchanges[i]
	key := e.Path
	// A path may begin with two slashes itself.
	if name := w.Authority(i); name != "" || strings.HasPrefix(e.Path, "//") {
		key = "//" + name + e.Path
	}
	if e.Method == "GET" {
		return key
	}
	return e.Method + ":" + key
}

// typeOf is the content type that the ending of a path promises.
func typeOf(target string) string {
	target, _, _ = strings.Cut(target, "?")
	switch strings.ToLower(path.Ext(target)) {
	case ".html", ".htm":
		return "text/html"
	case ".png":
		return "image/png"
	case ".gif":
		return "image/gif"
	case ".jpg", ".jpeg":
		return "image/jpeg"
	case ".svg":
		return "image/svg+xml"
	case ".css":
		return "text/css"
	case ".js":
		return "text/javascript"
	case ".json":
		return "application/json"
	case ".woff2":
		return "font/woff2"
	case "":
		if strings.HasSuffix(target, "/") {
			return "text/html"
		}
	}
	return "application/octet-stream"
}
