package live

import (
	"bufio"
	"crypto/tls"
	"net"
	"net/http"
	"strings"
	"testing"

	"linger"
	"linger/content"
)

// A response of HTTP/1 that ends before what announces its length does is cut (RFC
// 9112, 8), in cleartext and over TLS. Where nothing but the end of the connection
// ends it, TLS's close_notify has to (RFC 9112, 9.8).
func TestResponseShorterThanAnnounced(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\n"
	for _, test := range []struct {
		name, response, reason string
		silent                 bool // closes TCP without close_notify
	}{
		{"counted, whole", head + "Content-Length: 5\r\n\r\n$", "", false},
		{"counted, whole, no close_notify", head + "Content-Length: 5\r\n\r\n$", "", true},
		{"counted, cut", head + "Content-Length: 6\r\n\r\n$", "after 5 bytes of a response", false},
		{"chunked, whole", head + "Transfer-Encoding: chunked\r\n\r\n5\r\n$\r\n0\r\n\r\n", "", false},
		{"chunked, whole, no close_notify", head + "Transfer-Encoding: chunked\r\n\r\n5\r\n$\r\n0\r\n\r\n", "", true},
		{"chunked, no last chunk", head + "Transfer-Encoding: chunked\r\n\r\n5\r\n$\r\n", "after 5 bytes of a response", false},
		{"chunked, cut in a chunk", head + "Transfer-Encoding: chunked\r\n\r\n9\r\n$", "after 5 bytes of a response", false},
		{"chunked, cut in a size", head + "Transfer-Encoding: chunked\r\n\r\n5\r\n$\r\n1", "after 5 bytes of a response", false},
		{"chunked, cut before the trailer's end", head + "Transfer-Encoding: chunked\r\n\r\n5\r\n$\r\n0\r\n", "after 5 bytes of a response", false},
		{"until the close, whole", head + "Connection: close\r\n\r\n$", "", false},
		{"until the close, no close_notify", head + "Connection: close\r\n\r\n$", "without close_notify, after 5 bytes", true},
		{"cut in the head", "HTTP/1.1 200 OK\r\nContent-", "within the head of a response", false},
	} {
		for _, scheme := range []string{"http", "https"} {
			t.Run(scheme+"/"+test.name, func(t *testing.T) {
				w := linger.Workload{Name: "cut", Scheme: scheme, Exchanges: []linger.Exchange{
					{Method: "GET", Path: "/", Status: 200, ResponseBody: 5, Parent: linger.NoParent}}}
				five := make([]byte, 5)
				if _, err := content.Body(w, 0).Read(five); err != nil {
					t.Fatal(err)
				}
				tr := fetch(t, w, "close", rawHTTP1(t, scheme, strings.ReplaceAll(test.response, "$", string(five)), test.silent))
				want := test.reason
				if scheme == "http" && strings.Contains(want, "close_notify") {
					want = ""
				}
				if got := tr.Exchanges[0].Failed; want == "" && got != "" || !strings.Contains(got, want) {
					t.Errorf("failed: %q; want %q", got, want)
				}
			})
		}
	}
}

// rawHTTP1 answers each request by those bytes, and closes.
func rawHTTP1(t *testing.T, scheme, response string, silent bool) Config {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := Config{Address: l.Addr().String(), Host: "127.0.0.1"}
	var secure *tls.Config
	if scheme == "https" {
		a := newAuthority(t)
		secure, c.Roots = a.config("http/1.1"), a.roots()
	}
	done := make(chan struct{})
	t.Cleanup(func() {
		l.Close()
		<-done
	})
	go func() {
		defer close(done)
		for {
			socket, err := l.Accept()
			if err != nil {
				return
			}
			stream := socket
			if secure != nil {
				stream = tls.Server(socket, secure)
			}
			if _, err := http.ReadRequest(bufio.NewReader(stream)); err == nil {
				stream.Write([]byte(response))
			}
			if silent {
				stream = socket
			}
			stream.Close()
		}
	}()
	return c
}
