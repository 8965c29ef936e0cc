package origin

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"linger/origin/accesslog"
	"linger/origin/misbehave"
)

// A plain client of HTTP/1 over a socket, that says what it sees.
type watcher struct {
	net.Conn
	in   *bufio.Reader
	seen []string
}

func (w *watcher) see(format string, args ...any) {
	w.seen = append(w.seen, fmt.Sprintf(format, args...))
}

func (w *watcher) ask(paths ...string) {
	var b strings.Builder
	for _, p := range paths {
		path, extra, _ := strings.Cut(p, " ")
		fmt.Fprintf(&b, "GET %s HTTP/1.1\r\nHost: a\r\n", path)
		if extra != "" {
			b.WriteString(extra + "\r\n")
		}
		b.WriteString("\r\n")
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		w.see("unsent")
	}
}

// head asks by HEAD, and says what the response is.
func (w *watcher) head(path string) {
	fmt.Fprintf(w, "HEAD %s HTTP/1.1\r\nHost: a\r\n\r\n", path)
	r, err := http.ReadResponse(w.in, &http.Request{Method: "HEAD"})
	if err != nil {
		w.see("%v", err)
		return
	}
	w.see("%d", r.StatusCode)
}

// read says what comes next: a status, and what is said of the connection; or its end.
func (w *watcher) read() {
	w.SetReadDeadline(time.Now().Add(400 * time.Millisecond))
	r, err := http.ReadResponse(w.in, &http.Request{Method: "GET"})
	var n int64
	if err == nil {
		n, err = io.Copy(io.Discard, r.Body)
		if err == nil {
			said := strings.Join(append(r.Header["Connection"], r.Header["Keep-Alive"]...), ", ")
			if r.Close {
				said = "close"
			}
			w.see("%s", strings.TrimSpace(fmt.Sprintf("%d %s", r.StatusCode, said)))
			return
		}
		w.see("%d bytes", n)
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		w.see("silence")
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		w.see("RST")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		w.see("FIN")
	default:
		w.see("%v", err)
	}
}

// after says whether what is sent behind the server's FIN is refused.
func (w *watcher) after() {
	for range 20 {
		if _, err := io.WriteString(w, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
			w.see("refused")
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	w.see("taken")
}

func TestMisbehaviours(t *testing.T) {
	const idle = 150 * time.Millisecond
	tests := map[string]struct {
		does func(w *watcher, path string)
		want string
	}{
		"few-requests:2":    {func(w *watcher, p string) { w.ask(p); w.read(); w.ask(p); w.read(); w.read() }, "200; 200 close; FIN"},
		"short-idle:50ms":   {func(w *watcher, p string) { w.ask(p); w.read(); w.read() }, "200; FIN"},
		"cut-after-bytes:9": {func(w *watcher, p string) { w.ask(p); w.read() }, "9 bytes; FIN"},
		"reset":             {func(w *watcher, p string) { w.ask(p + " Connection: close"); w.read(); w.read() }, "200 close; RST"},
		"false-keep-alive":  {func(w *watcher, p string) { w.ask(p); w.read(); w.read() }, "200 keep-alive, timeout=60, max=100; FIN"},
		"ignore-close":      {func(w *watcher, p string) { w.ask(p + " Connection: close"); w.read(); w.ask(p); w.read() }, "200; 200"},
		"unannounced-close": {func(w *watcher, p string) { w.ask(p); w.read(); w.read() }, "200; FIN"},
		"out-of-order":      {func(w *watcher, p string) { w.ask(p, "/status/404"); w.read(); w.read() }, "404; 200"},
		"wrong-unit:50ms":   {func(w *watcher, p string) { w.ask(p); w.read(); w.read() }, "200 keep-alive, timeout=50; FIN"},
		"half-close":        {func(w *watcher, p string) { w.ask(p); w.read(); w.read(); w.after() }, "200; FIN; taken"},
		"black-hole:50ms":   {func(w *watcher, p string) { w.ask(p); w.read(); time.Sleep(idle); w.ask(p); w.read() }, "200; silence"},
		"stray-bytes":       {func(w *watcher, p string) { w.ask(p); w.read(); w.read() }, `200; malformed HTTP response ""`},
		"head-content":      {func(w *watcher, p string) { w.ask(p); w.read(); w.head(p); w.read() }, `200; 200; malformed HTTP status code "that"`},
		"idle-408:50ms":     {func(w *watcher, p string) { w.ask(p); w.read(); w.read(); w.read() }, "200; 408 close; FIN"},
		"race:50ms": {func(w *watcher, p string) {
			w.ask(p)
			w.read()
			w.ask(p)
			w.read()
			time.Sleep(idle)
			w.ask(p)
			w.read()
		}, "200; 200; FIN"},
	}
	for _, m := range misbehave.Kinds() {
		name := m.Name
		for with := range tests {
			if base, _, _ := strings.Cut(with, ":"); base == m.Name {
				name = with
			}
		}
		if !m.IsOf("1") {
			continue
		}
		test, ok := tests[name]
		if !ok {
			t.Errorf("%s is not tried here", m.Name)
			continue
		}
		parsed := must(misbehave.Parse(name))
		for _, way := range []struct {
			name, path string
			config     Config
		}{{"path", "/misbehave/" + name, Config{}}, {"flag", "/bytes/20", Config{Misbehave: parsed}}} {
			t.Run(name+" by "+way.name, func(t *testing.T) {
				t.Parallel()
				_, address := onLoopback(t, way.config)
				c := must(net.Dial("tcp", address))
				defer c.Close()
				w := &watcher{Conn: c, in: bufio.NewReader(c)}
				test.does(w, way.path)
				if got := strings.Join(w.seen, "; "); got != test.want {
					t.Errorf("%s\ngot  %s\nwant %s", m.Says(), got, test.want)
				}
			})
		}
	}
}

// TestMisbehavioursInDetail shows what values, versions and other paths change.
func TestMisbehavioursInDetail(t *testing.T) {
	const idle = 150 * time.Millisecond
	after := func(w *watcher, path string) {
		w.ask(path)
		w.read()
		time.Sleep(idle)
		w.ask(path)
		w.read()
	}
	asked := func(paths ...string) func(*watcher, string) {
		return func(w *watcher, path string) {
			w.ask(append([]string{path}, paths...)...)
			for range len(paths) + 1 {
				w.read()
			}
		}
	}
	for _, test := range []struct {
		name, path string
		does       func(w *watcher, path string)
		want       string
	}{
		{"a race lost by RST", "/misbehave/race:50ms:rst", after, "200; RST"},
		{"the same, the colons encoded", "/misbehave/race%3A50ms%3Arst", after, "200; RST"},
		{"RST in a race alone", "/misbehave/race:50ms:rst/bytes/9 Connection: close", func(w *watcher, p string) { w.ask(p); w.read(); w.read() }, "200 close; FIN"},
		{"a close that waits for the request no longer", "/misbehave/race:50ms:fin:50ms", func(w *watcher, p string) { w.ask(p); w.read(); w.read() }, "200; FIN"},
		{"a request in the ambush", "/misbehave/race:50ms:rst:10s", after, "200; RST"},
		{"a close before the time", "/misbehave/race:10s:-9950ms", func(w *watcher, p string) { w.ask(p); w.read(); w.read() }, "200; FIN"},
		{"other content", "/misbehave/few-requests:1/status/404", func(w *watcher, p string) { w.ask(p); w.read(); w.read() }, "404 close; FIN"},
		{"content with a query", "/misbehave/few-requests:1/?x=1", asked(), "200 close"},
		{"content that is cut", "/misbehave/cut-after-bytes:100000/bytes/200000", func(w *watcher, p string) { w.ask(p); w.read() }, "100000 bytes; FIN"},
		{"a cut in the second message", "/misbehave/cut-after-bytes:30/bytes/20", func(w *watcher, p string) { w.ask(p); w.read(); w.ask(p); w.read() }, "200; 10 bytes; FIN"},
		{"a black hole that closes where it is asked to", "/misbehave/black-hole:50ms Connection: close", func(w *watcher, p string) { w.ask(p); w.read(); w.read() }, "200 close; FIN"},
		{"a close that is not said where it was asked for", "/misbehave/unannounced-close/bytes/9 Connection: close", func(w *watcher, p string) { w.ask(p); w.read(); w.read() }, "200; FIN"},
		{"two pairs", "/misbehave/out-of-order/status/201", asked("/status/202", "/status/203", "/status/206"), "202; 201; 206; 203"},
		{"a pair and one", "/misbehave/out-of-order/status/201", asked("/status/202", "/status/203"), "202; 201; 203"},
		{"a pair whose second is the last", "/misbehave/out-of-order/status/201", asked("/status/202 Connection: close"), "202; 201 close"},
		{"no pair behind the last request", "/misbehave/out-of-order/status/201 Connection: close", asked("/status/202"), "201 close; FIN"},
		{"the last of two names", "/misbehave/false-keep-alive/misbehave/few-requests:1", asked(), "200 keep-alive, timeout=60, max=100"},
		{"no such name", "/misbehave/nicely", asked(), "404"},
		{"no such value", "/misbehave/race:now/bytes/9", asked(), "404"},
		{"the list", "/misbehave", asked("/misbehave/", "/misbehave?x"), "200; 200; 200"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, address := onLoopback(t, Config{})
			c := must(net.Dial("tcp", address))
			defer c.Close()
			w := &watcher{Conn: c, in: bufio.NewReader(c)}
			test.does(w, test.path)
			if got := strings.Join(w.seen, "; "); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

// TestDeafToCloseAlone shows that HTTP/1.0 closes where nobody has asked to keep the
// connection, also where close would not be heard.
func TestDeafToCloseAlone(t *testing.T) {
	_, address := onLoopback(t, Config{Misbehave: must(misbehave.Parse("ignore-close"))})
	c := must(net.Dial("tcp", address))
	defer c.Close()
	must(io.WriteString(c, "GET /status/204 HTTP/1.0\r\n\r\n"))
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	if all, err := io.ReadAll(c); err != nil || !bytes.Contains(all, []byte("Connection: close")) {
		t.Errorf("%q, %v", all, err)
	}
}

// TestMisbehavioursAreLogged shows that the log says what was not delivered, and which
// request each answer was to.
func TestMisbehavioursAreLogged(t *testing.T) {
	var log recorder
	s, address := onLoopback(t, Config{Log: log.log})
	for _, paths := range [][]string{
		{"/misbehave/out-of-order/status/201", "/status/202"},
		{"/misbehave/cut-after-bytes:9/bytes/20"},
	} {
		c := must(net.Dial("tcp", address))
		w := &watcher{Conn: c, in: bufio.NewReader(c)}
		w.ask(paths...)
		for range paths {
			w.read()
		}
		c.Close()
		for s.Counters().Open > 0 {
			time.Sleep(time.Millisecond)
		}
	}
	var got []string
	for _, e := range log.of(accesslog.Answered) {
		got = append(got, fmt.Sprintf("%d %d %s", e.Request, e.Status, e.Failed))
	}
	want := "2 202 ; 1 201 ; 1 200 cut off within a message"
	if text := strings.Join(got, "; "); text != want {
		t.Errorf("logged %s\nwant   %s", text, want)
	}
}

func TestGoawayLies(t *testing.T) {
	for n, want := range map[int]int64{1: 0, 4: 1} {
		goawayLies(t, n, want)
	}
}

// goawayLies has n requests answered, and GOAWAY name stream want.
func goawayLies(t *testing.T, n int, want int64) {
	_, address := onLoopback(t, Config{})
	c := must(net.Dial("tcp", address))
	defer c.Close()
	h := newH2client(t, c)
	for i := range n {
		h.request(uint32(2*i+1), true, "GET", fmt.Sprintf("/misbehave/lying-goaway:%d", n))
	}
	ended, named := map[uint32]bool{}, int64(-1)
	c.SetReadDeadline(time.Now().Add(5 * time.Second))
	for {
		f, err := h.fr.ReadFrame()
		if err != nil {
			break
		}
		switch f := f.(type) {
		case *http2.GoAwayFrame:
			named = int64(f.LastStreamID)
		case *http2.DataFrame:
			if f.StreamEnded() {
				ended[f.StreamID] = true
			}
		}
	}
	if named != want || len(ended) != n {
		t.Errorf("GOAWAY names stream %d, and %d of %d were answered; want %d and all", named, len(ended), n, want)
	}
}

func TestMisbehaviourOfAnotherProtocol(t *testing.T) {
	_, address := onLoopback(t, Config{})
	resp := must(http.Get("http://" + address + "/misbehave/lying-goaway"))
	resp.Body.Close()
	if resp.StatusCode != http.StatusNotImplemented {
		t.Errorf("lying-goaway over HTTP/1 is answered %d", resp.StatusCode)
	}
}

// TestMisbehavioursAgainstPython shows what each does to a client that others wrote and
// that keeps its connections: two requests on one, with a pause between.
func TestMisbehavioursAgainstPython(t *testing.T) {
	const script = `
import http.client, sys, time
host, path, pause, close = sys.argv[1], sys.argv[2], float(sys.argv[3]), sys.argv[4] == "close"
c = http.client.HTTPConnection(host, timeout=2)
c.connect()
c.auto_open = 0 # a second connection would be another's
for i in range(2):
    try:
        c.request("GET", path, headers={"Connection": "close"} if close else {})
        r = c.getresponse()
        n = len(r.read())
        print(r.status, n, "closes" if r.will_close else "keeps")
    except Exception as e:
        print(type(e).__name__)
        break
    time.sleep(pause)
`
	_, address := onLoopback(t, Config{})
	for _, test := range []struct {
		path, pause, request string
		want                 string
	}{
		{"few-requests:1/bytes/9", "0", "", "200 9 closes; NotConnected"},
		{"few-requests:2/bytes/9", "0", "", "200 9 keeps; 200 9 closes"},
		{"short-idle:50ms/bytes/9", "0.3", "", "200 9 keeps; RemoteDisconnected"},
		{"cut-after-bytes:12/bytes/9", "0", "", "200 9 keeps; IncompleteRead"},
		{"false-keep-alive/bytes/9", "0.1", "", "200 9 keeps; RemoteDisconnected"},
		{"unannounced-close/bytes/9", "0.1", "", "200 9 keeps; RemoteDisconnected"},
		{"ignore-close/bytes/9", "0", "close", "200 9 keeps; 200 9 keeps"},
		{"wrong-unit:50ms/bytes/9", "0.3", "", "200 9 keeps; RemoteDisconnected"},
		{"half-close/bytes/9", "0.1", "", "200 9 keeps; RemoteDisconnected"},
		{"black-hole:50ms/bytes/9", "0.3", "", "200 9 keeps; TimeoutError"},
		{"race:50ms/bytes/9", "0.3", "", "200 9 keeps; RemoteDisconnected"},
		{"race:50ms:rst/bytes/9", "0.3", "", "200 9 keeps; ConnectionResetError"},
		{"bytes/9", "0", "", "404 "},
	} {
		t.Run(test.path, func(t *testing.T) {
			t.Parallel()
			out := program(t, "python3", "-c", script, address, "/misbehave/"+test.path, test.pause, test.request)
			got := strings.Join(strings.Split(strings.TrimSpace(out), "\n"), "; ")
			if !strings.HasPrefix(got, test.want) {
				t.Errorf("python: %s\nwant    %s", got, test.want)
			}
		})
	}
}

// TestMisbehavioursAgainstCurl shows what curl makes of them, over TLS and in HTTP/2,
// too: bytes that came, connections that were opened, and its exit status.
func TestMisbehavioursAgainstCurl(t *testing.T) {
	_, plain := onLoopback(t, Config{})
	_, secure := serveOn(t, Config{}, ways[1])
	for _, test := range []struct {
		name, url string
		flags     []string
		want      string // of each of three requests
	}{
		{"few requests", "http://" + plain + "/misbehave/few-requests:2/bytes/9", nil, "200 9 1 0; 200 9 0 0; 200 9 1 0"},
		{"few requests in HTTP/2", "https://" + secure + "/misbehave/few-requests:2/bytes/9", nil, "200 9 1 0; 200 9 0 0; 200 9 1 0"},
		{"no announcement", "http://" + plain + "/misbehave/unannounced-close/bytes/9", nil, "200 9 1 0; 200 9 1 0; 200 9 1 0"},
		{"no announcement over TLS", "https://" + secure + "/misbehave/unannounced-close/bytes/9", []string{"--http1.1"}, "200 9 1 0; 200 9 1 0; 200 9 1 0"},
		{"half of a close over TLS", "https://" + secure + "/misbehave/half-close/bytes/9", []string{"--http1.1"}, "200 9 1 0; 200 9 1 0; 200 9 1 0"},
		{"cut", "http://" + plain + "/misbehave/cut-after-bytes:12/bytes/9", nil, "200 9 1 0; 200 3 0 18; 200 9 1 0"},
		{"cut over TLS", "https://" + secure + "/misbehave/cut-after-bytes:12/bytes/9", []string{"--http1.1"}, "200 9 1 0; 200 3 0 18; 200 9 1 0"},
		{"not of HTTP/2", "https://" + secure + "/misbehave/race", []string{"-I"}, "501 0 1 0; 501 0 0 0; 501 0 0 0"},
		{"not of HTTP/1", "http://" + plain + "/misbehave/lying-goaway", []string{"-I"}, "501 0 1 0; 501 0 0 0; 501 0 0 0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var args []string
			for i := range 3 {
				if i > 0 {
					args = append(args, "--next")
				}
				args = append(args, "-s", "-k", "-m", "10", "-o", os.DevNull, "-w", "%{http_code} %{size_download} %{num_connects} %{exitcode}\n")
				args = append(append(args, test.flags...), test.url)
			}
			out := program(t, "curl", args...)
			if got := strings.Join(strings.Split(strings.TrimSpace(out), "\n"), "; "); got != test.want {
				t.Errorf("curl: %s\nwant  %s", got, test.want)
			}
		})
	}
}
