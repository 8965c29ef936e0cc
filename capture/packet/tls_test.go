package packet

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"slices"
	"testing"

	"linger/capture/pcap"
	"linger/flow"
	"linger/internal/testcert"
	"linger/trace"
)

// recorded is a connection that keeps what was written to it.
type recorded struct {
	net.Conn
	sent []byte
}

func (r *recorded) Write(b []byte) (int, error) {
	r.sent = append(r.sent, b...)
	return r.Conn.Write(b)
}

// handshaken returns what both sides of a real handshake send.
func handshaken(t testing.TB, version uint16) (up, down []byte) {
	cert := testcert.SelfSigned(x509.Certificate{
		DNSNames: []string{"h.example", "*.other.example"}, IPAddresses: []net.IP{net.IPv4(192, 0, 2, 1)},
	})
	a, b := net.Pipe()
	client, server := &recorded{Conn: a}, &recorded{Conn: b}
	done := make(chan error, 1)
	go func() {
		done <- tls.Server(server, &tls.Config{
			Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2", "http/1.1"}, MaxVersion: version,
			SessionTicketsDisabled: true,
		}).Handshake()
	}()
	if err := tls.Client(client, &tls.Config{ServerName: "h.example", InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}}).Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	a.Close()
	b.Close()
	return client.sent, server.sent
}

func TestHellos(t *testing.T) {
	for _, c := range []struct {
		version    uint16
		want, alpn string
	}{{tls.VersionTLS12, "1.2", "h2"}, {tls.VersionTLS13, "1.3", ""}} {
		up, down := handshaken(t, c.version)
		for _, size := range []int{1 << 20, 1, 100} {
			r, conn := New(Options{}, nil), &conn{app: &sniffer{}, started: true, told: true, client: flow.Low}
			for end, b := range [][]byte{up, down} {
				for len(b) > 0 {
					n := min(size, len(b))
					conn.app.data(r, conn, flow.End(end), b[:n], mark{})
					b = b[n:]
				}
			}
			var record trace.Connection
			conn.app.tell(&record)
			got, ok := record.TLS.Get()
			if !ok || got.ServerName != "h.example" || !slices.Equal(got.Offered, []string{"h2", "http/1.1"}) || got.Version != c.want || got.ALPN != c.alpn || got.Cipher == "" || got.Resumed {
				t.Errorf("in pieces of %d: %+v", size, got)
			}
			names := []string(nil) // encrypted
			if c.version == tls.VersionTLS12 {
				names = []string{"h.example", "*.other.example", "192.0.2.1"}
			}
			if !slices.Equal(got.Names, names) || (got.Certificates > 100) != (names != nil) {
				t.Errorf("in pieces of %d: a certificate of %d bytes for %v, and it is for %v", size, got.Certificates, got.Names, names)
			}
			if protocol := record.Protocol; protocol != "h2" && c.alpn != "" || protocol != "tls" && c.alpn == "" {
				t.Errorf("it is %q", protocol)
			}
		}
	}
}

// links are those that are read.
var links = []pcap.LinkType{linkNull, linkEthernet, linkPPP, linkRaw, linkPPPHDLC, linkPPPoE, linkLoop, linkSLL, linkNFLOG, linkSLL2}

func FuzzHello(f *testing.F) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		up, down := handshaken(f, version)
		f.Add(up)
		f.Add(down)
	}
	f.Add([]byte(proxy2 + "\x21\x11\x00\x0c\xc6\x33\x64\x09\xc0\x00\x02\x01\x10\xe1\x00\x50"))
	r := New(Options{}, nil)
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, size := range []int{1 << 20, 7} {
			c := &conn{client: flow.Low, told: true}
			a := newTLS(r, c)
			for rest := b; len(rest) > 0; {
				n := min(size, len(rest))
				if skip := a.data(r, c, flow.Low, rest[:n], mark{}); skip > 0 {
					n += int(min(skip, int64(len(rest)-n)))
				}
				rest = rest[n:]
			}
			a.close(r, c, "over")
		}
		if n, _, whole := proxyHead(b); whole && n > len(b) {
			t.Fatalf("%d of %d bytes", n, len(b))
		}
		for _, link := range links {
			if ip, _, what := unwrap(link, b); what == foundIP && len(ip) > len(b) {
				t.Fatal(link)
			}
		}
		inner(47, 0, b, nil)
		inner(17, 6081, nil, b)
	})
}
