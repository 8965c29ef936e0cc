package live

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"linger"
	"linger/page"
)

// FuzzVisit has a server redirect to anything, and name anything in its page. What is asked
// for then is a request that means one thing to every server.
func FuzzVisit(f *testing.F) {
	f.Add("/next", "/a.png")
	f.Add("http://other.example:80/\r\nX: y", "//other/a b?c#d")
	f.Add("//host/../..%2f%00?\x7f", "?q=\u00e9 \t")
	f.Add("javascript:alert(1)", "data:,x")
	f.Add("http://[::1%25eth0]:0/", "http://origin:80\\@evil/")
	f.Add("HTTP://ORIGIN/%zz", "a\x00b")
	f.Fuzz(func(t *testing.T, location, ref string) {
		if strings.ContainsAny(location, "\r\n") {
			location = strconv.QuoteToASCII(location)
		}
		html := "<img src='" + strings.ReplaceAll(ref, "'", "&#39;") + "'>"
		answer := func(line string) string {
			target, ok := strings.CutPrefix(line, "GET ")
			target, proto := strings.CutSuffix(target, " HTTP/1.1")
			if !ok || !proto || target == "" || strings.ContainsFunc(target, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
				t.Errorf("a redirect to %q and a reference %q have it say %q", location, ref, line)
			}
			if target == "/" {
				return "HTTP/1.1 302 Found\r\nLocation: " + location + "\r\nContent-Length: 0\r\n\r\n"
			}
			return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%s", len(html), html)
		}
		config := Config{Address: "origin:80", Host: "origin", Limits: patient, Dial: func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go func() {
				defer theirs.Close()
				for in := bufio.NewReader(theirs); ; {
					line, err := in.ReadString('\n')
					for field := line; err == nil && field != "\r\n"; {
						field, err = in.ReadString('\n')
					}
					if err != nil {
						return
					}
					if _, err := io.WriteString(theirs, answer(strings.TrimSuffix(line, "\r\n"))); err != nil {
						return
					}
				}
			}()
			return ours, nil
		}}
		p, err := Visit(t.Context(), "http://origin/", strategy(t, "keep"), config)
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Trace.Exchanges) > page.MaxRequests || strings.ContainsAny(p.Unfollowing, "\r\n\x00\x1b") {
			t.Errorf("%d exchanges; %q", len(p.Trace.Exchanges), p.Unfollowing)
		}
	})
}

// FuzzURL reads URLs that a user gives. What can be fetched has an address that can be dialled.
func FuzzURL(f *testing.F) {
	for _, s := range []string{"http://a/", "https://[::1]:8443/x?y#z", "http://a:0", "http://u:p@a/", "http://\x1b[31m/", "https://a:99999999999", "http://[fe80::1%25eth0]/", "//a", "http://]0", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := Config{}.Towards(s)
		if err != nil {
			if text := err.Error(); strings.ContainsAny(linger.Unreadable(text), "\r\n\x00\x1b") && !strings.Contains(text, "%") {
				t.Errorf("%q", text)
			}
			return
		}
		host, port, err := net.SplitHostPort(c.Address)
		if n, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil || n == 0 || host == "" {
			t.Errorf("%q is dialled at %q", s, c.Address)
		}
	})
}

// FuzzHTTP3 answers a request of HTTP/3 by anything.
func FuzzHTTP3(f *testing.F) {
	const ok = "\x01\x03\x00\x00\xd9"
	f.Add([]byte(ok + "\x00\x03abc"))
	f.Add([]byte("\x01\x03\x00\x00\xd8" + ok + "\x21\x01x\x00\x02ab\x00\x01c\x01\x02\x00\x00"))
	f.Add([]byte(ok + "\x00\x40"))
	f.Add([]byte(ok + "\x01\xd80000000")) // a trailer of 2^60 bytes, of which none comes
	f.Add([]byte("\x04\x00"))
	f.Add([]byte("\x01\x05\x00\x00\x80\x10\xd9"))
	w := linger.Workload{Name: "fuzz", Scheme: "https", Exchanges: []linger.Exchange{{Method: "GET", Path: "/", Status: 200, ResponseBody: 3, Parent: linger.NoParent}}}
	var said atomic.Pointer[[]byte]
	config := answersH3(f, func() []byte { return *said.Load() })
	config.Limits = patient
	f.Fuzz(func(t *testing.T, text []byte) {
		said.Store(&text)
		tr := fetch(t, w, "h3", config)
		x := tr.Exchanges[0]
		if got := x.ResponseHead + x.ResponseBody; got > int64(len(text)) {
			t.Errorf("%d bytes counted, %d said", got, len(text))
		}
		if strings.ContainsAny(x.Failed, "\r\n\x00\x1b") {
			t.Errorf("failed: %q", x.Failed)
		}
	})
}
