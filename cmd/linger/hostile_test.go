package main

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"linger/internal/testall"
)

// hostile is a text of which each part would do something to who reads it raw: colours, the
// title, an erased screen, also by C1; a turned direction, letters without width, a line of
// its own, a formula.
const hostile = "=h\x1b[31m\x1b[2J\x1b]0;t\x07\u009b2J\u0085\u202e\u2066\u200b\ufeff\u2028\r\n\tlinger: forged\x7f\x00\U000e0041"

// spoiled is the first letter of a document that a reader should not be given, "" if there is
// none.
func spoiled(b []byte) string {
	for i, r := range string(b) {
		switch {
		case r == '\n' || r == '\t':
		case r < ' ' || r >= 0x7f && r < 0xa0, r == utf8.RuneError, r == 0x61c,
			r >= 0x200b && r <= 0x200f, r >= 0x2028 && r <= 0x202e, r >= 0x2060 && r <= 0x206f, r == 0xfeff, r >= 0xe0000 && r <= 0xe0fff:
			return fmt.Sprintf("%U in %q", r, b[max(0, i-40):min(len(b), i+20)])
		}
	}
	return ""
}

// checkDocument holds a document against what its ending promises.
func checkDocument(t *testing.T, name string, b []byte) {
	t.Helper()
	if s := spoiled(b); s != "" {
		t.Errorf("%s: %s", name, s)
	}
	switch filepath.Ext(name) {
	case ".json", ".sarif", ".har":
		for d := json.NewDecoder(bytes.NewReader(b)); ; {
			var v any
			if err := d.Decode(&v); err == io.EOF {
				break
			} else if err != nil {
				t.Errorf("%s: %v", name, err)
				break
			}
		}
	case ".xml":
		for d := xml.NewDecoder(bytes.NewReader(b)); ; {
			if _, err := d.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Errorf("%s: %v", name, err)
				break
			}
		}
	case ".csv", ".tsv":
		r := csv.NewReader(bytes.NewReader(b))
		if filepath.Ext(name) == ".tsv" {
			r.Comma = '\t'
		}
		lines, err := r.ReadAll()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, cell := range slices.Concat(lines...) {
			if strings.HasPrefix(cell, "=") {
				t.Errorf("%s: a formula, %q", name, cell)
			}
		}
	case ".html":
		if bytes.Contains(b, []byte("<script>alert")) {
			t.Errorf("%s: a script", name)
		}
	}
}

// checkSaid holds what a verb said against what notes promise: lines of its own, none of which
// fills the screen.
func checkSaid(t *testing.T, args []string, said string) {
	t.Helper()
	if s := spoiled([]byte(said)); s != "" {
		t.Errorf("%q says %s", args, s)
	}
	for line := range strings.Lines(said) {
		if !strings.HasPrefix(line, "linger: ") || strings.HasPrefix(line, "linger: forged") || utf8.RuneCountInString(line) > 700 {
			t.Errorf("%q says %.200q", args, line)
		}
	}
}

// showing runs a verb on what others have made, and checks all that it writes.
func showing(t *testing.T, endings string, args ...string) (status int) {
	t.Helper()
	dir := t.TempDir()
	all := slices.Clone(args)
	for ending := range strings.FieldsSeq(endings) {
		all = append(all, "-o", filepath.Join(dir, "x"+ending))
	}
	out, said, status := command(t, all...)
	checkSaid(t, args, said)
	if s := spoiled([]byte(out)); s != "" || strings.Contains(out, "\n\tlinger: forged") {
		t.Errorf("%q prints %s", args, cmp.Or(s, "a line that is not its own"))
	}
	if len(out) > 200_000 {
		t.Errorf("%q prints %d bytes", args, len(out))
	}
	files, err := filepath.Glob(filepath.Join(dir, "x.*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Ext(f) != ".trace" {
			checkDocument(t, f, b)
		}
	}
	return status
}

// A textPlace is where a text stands in a document of one JSON value a line.
type textPlace struct {
	line int
	path string
}

// places are those of all texts, one of those that differ in nothing but where in a list they
// stand, in lists of lines too.
func places(lines []any) []textPlace {
	seen := map[string]bool{}
	var all []textPlace
	var walk func(line int, path, kind string, v any)
	walk = func(line int, path, kind string, v any) {
		switch v := v.(type) {
		case string:
			if !seen[kind] {
				seen[kind] = true
				all = append(all, textPlace{line, path})
			}
		case []any:
			for i, one := range v {
				walk(line, fmt.Sprintf("%s/%d", path, i), kind+"/*", one)
			}
		case map[string]any:
			for _, key := range slices.Sorted(maps.Keys(v)) {
				walk(line, path+"/"+key, kind+"/"+key, v[key])
			}
		}
	}
	for i, line := range lines {
		walk(i, "", "", line)
	}
	return all
}

// put is v with another text at a path.
func put(v any, path []string, text string) any {
	if len(path) == 0 {
		return text
	}
	switch v := v.(type) {
	case []any:
		out := slices.Clone(v)
		var i int
		fmt.Sscan(path[0], &i)
		out[i] = put(v[i], path[1:], text)
		return out
	case map[string]any:
		out := maps.Clone(v)
		out[path[0]] = put(v[path[0]], path[1:], text)
		return out
	}
	return v
}

func read(t *testing.T, name string) (lines []any, zipped bool) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if z, err := gzip.NewReader(bytes.NewReader(b)); err == nil {
		if b, err = io.ReadAll(z); err != nil {
			t.Fatal(err)
		}
		zipped = true
	}
	for d := json.NewDecoder(bytes.NewReader(b)); ; {
		var v any
		d.UseNumber()
		if err := d.Decode(&v); err == io.EOF {
			return lines, zipped
		} else if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, v)
	}
}

func write(t *testing.T, name string, lines []any, zipped bool) {
	t.Helper()
	var b bytes.Buffer
	to := io.Writer(&b)
	z := gzip.NewWriter(&b)
	if zipped {
		to = z
	}
	e := json.NewEncoder(to)
	e.SetEscapeHTML(false)
	for _, line := range lines {
		if err := e.Encode(line); err != nil {
			t.Fatal(err)
		}
	}
	if zipped {
		z.Close()
	}
	if err := os.WriteFile(name, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// spoil puts what is hostile into each place of a file that a verb accepts it in, one after
// the other, and then a long text into all of them at once. What is refused is a line.
func spoil(t *testing.T, name, endings string, args ...string) (accepted int) {
	t.Helper()
	lines, zipped := read(t, name)
	spoilt := slices.Clone(lines)
	var free []textPlace
	for _, p := range places(lines) {
		with := slices.Clone(spoilt)
		with[p.line] = put(with[p.line], strings.Split(p.path, "/")[1:], hostile)
		write(t, name, with, zipped)
		_, said, status := command(t, append(args, "--json")...)
		checkSaid(t, append(args, p.path), said)
		if status == exitDone {
			spoilt, free = with, append(free, p)
		}
	}
	for _, text := range []string{hostile, hostile + strings.Repeat("a", 200_000)} {
		for _, p := range free {
			spoilt[p.line] = put(spoilt[p.line], strings.Split(p.path, "/")[1:], text)
		}
		write(t, name, spoilt, zipped)
		showing(t, endings, args...)
		showing(t, "", args...) // on standard output
		showing(t, "", append(args, "--wide")...)
	}
	return len(free)
}

// TestHostileFiles puts what should move no cursor into each text of each kind of file that is
// read, and looks at all that is written of it.
func TestHostileFiles(t *testing.T) {
	t.Chdir(t.TempDir())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<img src=/a><img src=/b>")
	}))
	defer server.Close()
	made := func(args ...string) {
		if _, said, status := command(t, args...); status != exitDone {
			t.Fatalf("%q: %s", args, said)
		}
	}
	sim := []string{"compare", "objects:3x1000", "--on", "sim", "-s", "close,keep"}
	made(append(sim, "-o", "compare.trace", "-o", "before.json", "-o", "after.json")...)
	made("get", server.URL, "-s", "keep", "-o", "fetch.trace", "-o", "fetch.har")
	made("bench", server.URL, "-n", "4", "-c", "2", "-s", "close,keep", "--turns", "2", "-o", "load.json", "-o", "load2.json")
	all, some := ".json .txt .html .xml .sarif .prom", ".json .txt .html"
	type kind struct {
		file    string
		least   int // places that are free
		endings string
		args    []string
	}
	kinds := []kind{
		{"compare.trace", 8, all + " .csv", []string{"report", "compare.trace"}},
		{"fetch.trace", 8, all + " .mmd", []string{"report", "fetch.trace"}},
		{"fetch.har", 8, all + " .trace .mmd", []string{"report", "fetch.har"}},
		{"load.json", 2, ".json .txt", []string{"compare", "load.json", "load2.json"}},
		{"after.json", 8, some, []string{"compare", "before.json", "after.json"}},
	}
	for _, c := range testall.Of(kinds, kinds[1:4]) {
		if n := spoil(t, c.file, c.endings, c.args...); n < c.least {
			t.Errorf("%s: a text is free in %d places, less than %d", c.file, n, c.least)
		}
	}
	showing(t, some+" .csv", "compare", "fetch.har", "--on", "sim", "--trials", "1", "-s", "keep")
}

// TestHostileNames gives names of files, servers and hops that hold what they should not.
func TestHostileNames(t *testing.T) {
	t.Chdir(t.TempDir())
	name := strings.NewReplacer("\x00", "", "/", "").Replace(hostile)
	if err := os.WriteFile("list", []byte(strings.ReplaceAll(name, "\n", "")+"\nhttp://"+name+"/\nnot\u009ba\u202ename 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"report", name + ".trace"}, {"report", name + ".har"}, {"inspect", name}, {"inspect", name + ".trace"}, {"compare", name}, {"compare", name + ".json", "b.json"},
		{"get", name}, {"get", "http://" + name + "/"}, {"probe", "http://" + name + "/"}, {"probe", name}, {"probe", "-f", name}, {"probe", "-f", "list"},
		{"probe", "--chain", name + "=60s," + name}, {"get", "dns", "--names", name}, {"get", "dns", "--names", "list"}, {"compare", "-s", name}, {"compare", "--network", name},
		{"compare", "--assert", name}, {"compare", "-o", name + ".json/x.json"}, {"compare", "-o", "x." + name}, {"sweep", "--rtt", name}, {"serve", name}, {"lab", name}, {name},
		{"lab", "--", name}, {"compare", "--" + name}, {"get", "http://a/", "-H", name}, {"get", "http://a/", "--cacert", name}, {"get", "http://a/", "--resolve", name}, {"serve", "--log", name + "/a", "-p", "0"},
	} {
		if status := showing(t, "", args...); status == exitDone {
			t.Errorf("%q is nothing wrong", args)
		}
	}
}

// TestHostileServers has servers say what they should not, in each place where they can.
func TestHostileServers(t *testing.T) {
	t.Chdir(t.TempDir())
	field := strings.NewReplacer("\r", "", "\n", "", "\x00", "").Replace(hostile)
	visible := strings.Map(func(r rune) rune { // what HTTP lets through, in UTF-8 or not
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, hostile) + "\x9b31m"
	responses := map[string]string{
		"a status line":      "HTTP/1.1 200 " + field + "\r\nContent-Length: 0\r\n\r\n",
		"no status":          field + "\r\n\r\n",
		"controls in fields": "HTTP/1.1 200 OK\r\nServer: " + field + "\r\nContent-Type: text/html\r\nContent-Length: 0\r\n\r\n",
		"fields": "HTTP/1.1 200 OK\r\nServer: " + visible + "\r\nContent-Type: text/" + visible + "\r\nKeep-Alive: timeout=5, " + visible + "\r\nAlt-Svc: " + visible +
			"\r\nContent-Encoding: " + visible + "\r\nX-" + visible + ": 1\r\nContent-Length: 0\r\n\r\n",
		"a redirect": "HTTP/1.1 302 Found\r\nLocation: http://" + visible + "/" + visible + "\r\nContent-Length: 0\r\n\r\n",
		"a scheme":   "HTTP/1.1 302 Found\r\nLocation: x" + visible + ":" + visible + "\r\nContent-Length: 0\r\n\r\n",
		"a long one": "HTTP/1.1 302 Found\r\nLocation: http://a/" + strings.Repeat("a", 200_000) + "\r\nContent-Length: 0\r\n\r\n",
		"a length":   "HTTP/1.1 200 OK\r\nContent-Length: " + visible + "\r\n\r\n",
		"a coding":   "HTTP/1.1 200 OK\r\nTransfer-Encoding: " + visible + "\r\n\r\n",
		"a page":     "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n<img src='/" + hostile + "'><img src='http://" + hostile + "/'><base href='" + hostile + "'>",
	}
	for _, name := range testall.Of(slices.Sorted(maps.Keys(responses)), []string{"fields", "a redirect", "a page"}) {
		response := responses[name]
		address := rawServer(t, response)
		showing(t, ".json .txt .html .har .xml .sarif .prom .trace .mmd", "get", "http://"+address+"/", "-s", "keep", "--timeout", "3s")
		showing(t, "", "get", "http://"+address+"/", "-s", "h2", "--timeout", "3s")
		showing(t, ".json .csv .txt", "compare", "http://"+address+"/", "--on", "live", "-s", "keep", "--trials", "1", "--timeout", "3s")
		if err := os.WriteFile("list", []byte("http://"+address+"/\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		showing(t, ".json .csv .txt .xml .sarif .prom", "probe", "-f", "list", "--only", "close-honoured", "--timeout", "2s")
		showing(t, ".html", "probe", "http://"+address+"/", "--only", "close-honoured", "--timeout", "2s")
		if t.Failed() {
			t.Fatalf("it was %s", name)
		}
	}
}

// rawServer answers each request, as far as it can tell, with the same bytes.
func rawServer(t *testing.T, response string) (address string) {
	t.Helper()
	return testall.Accept(t, func(c net.Conn) {
		b := make([]byte, 64<<10)
		for {
			n, err := c.Read(b)
			if err != nil {
				return
			}
			if bytes.Contains(b[:n], []byte("\r\n\r\n")) {
				io.WriteString(c, response)
				if strings.Contains(response, "Connection: close") {
					return
				}
			}
		}
	})
}
