package site

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"linger"
	"linger/origin/head"
	"linger/origin/misbehave"
)

const (
	maxDelay = time.Minute // of /delay/D
	// blockSize is how much of the content of /bytes/N is kept in memory.
	blockSize = 64 << 10
	// maxListing bounds the list of what is served.
	maxListing = 64 << 10
	// aboutSize is how long the content of /misbehave/NAME is: enough to be cut.
	aboutSize = 8 << 10
)

// other answers what is no exchange of the workload by its method and path.
func (s *Site) other(method, target string) Answer {
	if i, ok := s.index["GET "+target]; ok && method == "HEAD" {
		return s.exchange(i)
	}
	if methods, ok := s.allowed[target]; ok {
		return Text(405, "this path answers to "+methods+"\n", Field{"Allow", "allow", methods})
	}
	if target == "*" && method == "OPTIONS" {
		return Answer{Status: 204, Length: -1}
	}
	path, _, _ := strings.Cut(target, "?")
	if path == "/" {
		return words(200, s.listing)
	}
	name, argument, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch name {
	case "misbehave":
		// With its query, which is one of what stands behind the name.
		return s.misbehaving(method, strings.TrimPrefix(strings.TrimPrefix(target, "/misbehave"), "/"))
	case "bytes":
		if n, ok := head.Digits([]byte(argument)); ok && n <= linger.MaxBody {
			a := Answer{Status: 200, Fields: []Field{contentType("application/octet-stream")}, Length: n}
			if n <= blockSize {
				a.Body = s.block[:n]
			} else {
				a.Stream = filler(n)
			}
			return a
		}
	case "delay":
		if d, err := time.ParseDuration(argument); err == nil && d >= 0 && d <= maxDelay {
			a := Text(200, "waited "+d.String()+"\n")
			a.Delay = d
			return a
		}
	case "status":
		if n, err := strconv.Atoi(argument); err == nil && len(argument) == 3 && n >= 200 && n <= 599 {
			return statusOnly(n)
		}
	}
	return words(404, s.missing)
}

// statusOnly is the answer of /status/N.
func statusOnly(status int) Answer {
	switch status {
	case 204, 304:
		return Answer{Status: status, Length: -1}
	case 205:
		// RFC 9110, 15.3.6: "a server MUST NOT generate content in a 205 response".
		return Answer{Status: status}
	case 301, 302, 303, 307, 308:
		return Text(status, "see /\n", Field{"Location", "location", "/"})
	}
	return Text(status, strconv.Itoa(status)+" "+Reason(status)+"\n")
}

// misbehaving is the answer of /misbehave/ARGUMENT: the list of what there is, about
// one of it, or behind its name and a slash anything that the site has.
func (s *Site) misbehaving(method, argument string) Answer {
	name, rest, content := strings.Cut(argument, "/")
	if !content {
		name, _, _ = strings.Cut(argument, "?")
	}
	// RFC 3986, 2.4: a colon may come encoded, though it need not be.
	if plain, err := url.PathUnescape(name); err == nil {
		name = plain
	}
	if name == "" {
		return Text(200, misbehave.List())
	}
	m, err := misbehave.Parse(name)
	if err != nil {
		return Text(404, err.Error()+"\n")
	}
	var a Answer
	if content {
		key := []byte(method + " /" + rest)
		a = s.find(&head.Request{Key: key, Method: key[:len(method)], Target: key[len(method)+1:]})
	} else {
		about := m.String() + ": this server " + m.Says() + ".\nA good client " + m.Client + ".\n\n"
		fill, _ := io.ReadAll(filler(aboutSize - int64(len(about))))
		a = Text(200, about+string(fill))
	}
	a.Misbehaviour = m
	return a
}

// list says what is served, one line each.
func (s *Site) list() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "/           this list\n/bytes/N    N bytes, 0 to %d\n", int64(linger.MaxBody))
	fmt.Fprintf(&b, "/delay/D    an answer after D, as 250ms or 2s, up to %v\n", maxDelay)
	fmt.Fprint(&b, "/status/N   an answer with status N, 200 to 599\n")
	fmt.Fprint(&b, "/misbehave/ what a server should not do, by name\n")
	if s.zone != nil {
		fmt.Fprintf(&b, "%s  names by DNS: GET ?dns=, POST\n", dohPath)
	}
	if n := len(s.workload.Exchanges); n > 0 {
		fmt.Fprintf(&b, "\nworkload %s: %d exchanges, %d bytes\n\n", cmp.Or(s.workload.Name, "without a name"), n, s.workload.Bytes())
	}
	for i, e := range s.workload.Exchanges {
		if e.Origin != s.origin {
			continue
		}
		line := fmt.Sprintf("%s %s %d\n", e.Method, e.Path, e.ResponseBody)
		if e.IsQuery() {
			line = e.Query.String() + "\n"
		}
		if b.Len()+len(line) > maxListing {
			fmt.Fprintf(&b, "and %d more\n", len(s.workload.Exchanges)-i)
			break
		}
		b.WriteString(line)
	}
	return b.Bytes()
}
