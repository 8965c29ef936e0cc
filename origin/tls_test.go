package origin

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"
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
	case "h3":
		pc := must(net.ListenPacket("udp", "127.0.0.1:0"))
		address = pc.LocalAddr()
		go func() { served <- s.ServeQUIC(ctx, pc) }()
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
	_, a := serveOnLoopback(t, Config{Log: func(e Entry) { t.Log(e) }}, "h3")
	tr := &http3.Transport{TLSClientConfig: &tls.Config{RootCAs: authority().Pool()}}
	defer tr.Close()
	for _, n := range []string{"/bytes/10", "/bytes/3000000", "/nope"} {
		resp := must(tr.RoundTrip(must(http.NewRequest("GET", "https://"+a+n, nil))))
		b := must(io.ReadAll(resp.Body))
		t.Log(resp.Status, len(b), resp.Header)
	}
}
