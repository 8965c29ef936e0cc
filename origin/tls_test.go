package origin

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"
)

// authority is one for all tests; making it costs time.
var authority = sync.OnceValue(func() *Authority { return must(NewAuthority(time.Now())) })

// serveOnLoopback starts a server on TCP, or on UDP for "h3", and returns its
// address. A protocol is "http", "https" or "h3".
func serveOnLoopback(t testing.TB, config Config, protocol string) (*Server, string) {
	config.Certificates = append(config.Certificates, must(authority().Certificate("localhost", "127.0.0.1")))
	s, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	var address net.Addr
	switch protocol {
	case "http", "https":
		ln := must(Listen(t.Context(), "127.0.0.1:0", ""))
		address = ln.Addr()
		serve := s.Serve
		if protocol == "https" {
			serve = s.ServeTLS
		}
		go func() { served <- serve(ctx, ln) }()
	}
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Errorf("serving: %v", err)
		}
	})
	return s, address.String()
}

func TestScratch(t *testing.T) {
	_, a := serveOnLoopback(t, Config{Log: func(e Entry) { t.Log(e) }}, "https")
	_, b := serveOnLoopback(t, Config{Log: func(e Entry) { t.Log(e) }}, "http")
	c := must(authority().Certificate("localhost"))
	t.Log(len(c.Certificate[0]), len(c.Certificate[1]))
	t.Log(program(t, "curl", "-sSkv", "--http2", "https://"+a+"/bytes/100000", "-o", "/dev/null", "https://"+a+"/bytes/10", "-o", "/dev/null"))
	t.Log(program(t, "curl", "-sSkv", "--http1.1", "https://"+a+"/bytes/100000", "-o", "/dev/null"))
	t.Log(program(t, "curl", "-sSkv", "--http2-prior-knowledge", "http://"+b+"/bytes/100000", "-o", "/dev/null"))
}
