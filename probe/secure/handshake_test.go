package secure

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"testing"
	"time"

	"linger/internal/testcert"
)

// TestTicketsOfAServer reads the tickets off the wire that Go's own server sends, by the keys
// of the handshake, and none without them.
func TestTicketsOfAServer(t *testing.T) {
	t.Parallel()
	certificate := testcert.SelfSigned(x509.Certificate{DNSNames: []string{"www.example"}})
	for _, test := range []struct {
		name     string
		version  uint16
		disabled bool
		want     int
	}{
		{"TLS 1.3", tls.VersionTLS13, false, 1},
		{"TLS 1.3 without tickets", tls.VersionTLS13, true, 0},
		{"TLS 1.2", tls.VersionTLS12, false, 1},
		{"TLS 1.2 without tickets", tls.VersionTLS12, true, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			near, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			far, err := ln.Accept()
			if err != nil {
				t.Fatal(err)
			}
			near.SetDeadline(time.Now().Add(10 * time.Second))
			far.SetDeadline(time.Now().Add(10 * time.Second))
			served := make(chan error, 1)
			go func() {
				s := tls.Server(far, &tls.Config{Certificates: []tls.Certificate{certificate}, MaxVersion: test.version, SessionTicketsDisabled: test.disabled})
				_, err := io.WriteString(s, "hello")
				s.Close()
				served <- err
			}()
			var keys bytes.Buffer
			wire := &tap{Conn: near}
			c := tls.Client(wire, &tls.Config{RootCAs: testcert.Roots(certificate), ServerName: "www.example", MaxVersion: test.version, KeyLogWriter: &keys, ClientSessionCache: tls.NewLRUClientSessionCache(1)})
			if b, err := io.ReadAll(c); err != nil || string(b) != "hello" {
				t.Fatalf("%q, %v", b, err)
			}
			near.Close()
			if err := <-served; err != nil {
				t.Fatal(err)
			}
			state := c.ConnectionState()
			tickets, ok := ticketsOn(wire.seen.Bytes(), state.Version, state.CipherSuite, serverSecret(keys.Bytes()))
			if state.CipherSuite == tls.TLS_CHACHA20_POLY1305_SHA256 {
				return // without AES in hardware a cipher is preferred that cannot be read
			}
			if !ok || len(tickets) != test.want {
				t.Fatalf("%d tickets (%v), want %d", len(tickets), ok, test.want)
			}
			for _, k := range tickets {
				if k.lifetime <= 0 && test.version == tls.VersionTLS13 || k.lifetime > 7*24*time.Hour || k.early != 0 {
					t.Errorf("a ticket is %+v", k)
				}
			}
			if _, ok := ticketsOn(wire.seen.Bytes(), tls.VersionTLS13, state.CipherSuite, nil); ok {
				t.Error("they are read without the keys")
			}
		})
	}
}
