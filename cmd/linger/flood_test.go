package main

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/quicvarint"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"linger/internal/testall"
	"linger/origin/authority"
)

// says serves each connection that comes by sending begin, once the client has sent
// something, and then again without end; it returns the address.
func (b *bombs) says(begin string, again []byte) string {
	again = bytes.Repeat(again, max(1, 64<<10/len(again)))
	return testall.Accept(b.t, func(c net.Conn) {
		if _, err := c.Read(make([]byte, 64<<10)); err != nil {
			return
		}
		go io.Copy(io.Discard, c)
		_, err := io.WriteString(c, begin)
		for err == nil {
			_, err = c.Write(again)
		}
	})
}

// get is what fetches from an address by a strategy, and does not wait long.
func get(address, strategy string) []string {
	return []string{"get", "http://" + address + "/", "-s", strategy, "--timeout", "3s"}
}

// frames writes frames of HTTP/2.
func frames(write func(f *http2.Framer, block func(pairs ...string) []byte)) string {
	var out, block bytes.Buffer
	table := hpack.NewEncoder(&block)
	write(http2.NewFramer(&out, nil), func(pairs ...string) []byte {
		block.Reset()
		for i := 0; i < len(pairs); i += 2 {
			_ = table.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]})
		}
		return bytes.Clone(block.Bytes())
	})
	return out.String()
}

// settings are what a server of HTTP/2 begins with.
var settings = frames(func(f *http2.Framer, _ func(...string) []byte) {
	_ = f.WriteSettings()
	_ = f.WriteSettingsAck()
})

// h3 serves HTTP/3 that answers each request by begin and then again without end, and
// returns what fetches from it.
func (b *bombs) h3(begin string, again []byte) []string {
	ca, err := authority.New(time.Now())
	if err != nil {
		b.t.Fatal(err)
	}
	certificate, err := ca.Certificate("127.0.0.1")
	if err != nil {
		b.t.Fatal(err)
	}
	secure := &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"h3"}}
	ln, err := quic.ListenAddr("127.0.0.1:0", secure, &quic.Config{MaxIncomingStreams: 10})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { ln.Close() })
	again = bytes.Repeat(again, max(1, 64<<10/len(again)))
	go func() {
		for {
			c, err := ln.Accept(context.Background())
			if err != nil {
				return
			}
			if control, err := c.OpenUniStream(); err == nil {
				_, _ = control.Write([]byte{0, 4, 0})
			}
			go func() {
				for {
					s, err := c.AcceptStream(context.Background())
					if err != nil {
						return
					}
					go func() {
						_, err := io.WriteString(s, begin)
						for err == nil {
							_, err = s.Write(again)
						}
					}()
				}
			}()
		}
	}()
	return []string{"get", "https://" + ln.Addr().String() + "/", "-s", "h3", "-k", "--timeout", "3s"}
}

// answering is what a stream of HTTP/3 begins with: HEADERS with :status 200, of QPACK's
// static table.
const answering = "\x01\x03\x00\x00\xd9"

// hostileServers are worst inputs that servers send to a client.
var hostileServers = []bomb{
	{reader: "HTTP/1 client", input: "interim responses without end", most: 50, args: func(b *bombs) []string {
		return get(b.says("", []byte("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")), "keep")
	}},
	{reader: "HTTP/1 client", input: "a field without end", most: 50, args: func(b *bombs) []string {
		return get(b.says("HTTP/1.1 200 OK\r\nX: ", []byte("x")), "keep")
	}},
	{reader: "HTTP/1 client", input: "a chunk's extension without end", most: 50, args: func(b *bombs) []string {
		return get(b.says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", []byte("x")), "keep")
	}},
	{reader: "HTTP/1 client", input: "a trailer without end", most: 50, args: func(b *bombs) []string {
		return get(b.says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", []byte("X: y\r\n")), "keep")
	}},
	{reader: "HTTP/2 client", input: "a head of empty frames without end", most: 50, args: func(b *bombs) []string {
		head := frames(func(f *http2.Framer, _ func(...string) []byte) {
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1})
		})
		empty := frames(func(f *http2.Framer, _ func(...string) []byte) {
			f.AllowIllegalWrites = true
			_ = f.WriteContinuation(1, false, nil)
		})
		return get(b.says(settings+head, []byte(empty)), "h2")
	}},
	{reader: "HTTP/2 client", input: "heads without end that unpack to a thousand times as much", most: 50, args: func(b *bombs) []string {
		head := frames(func(f *http2.Framer, block func(...string) []byte) {
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndHeaders: true, BlockFragment: block(":status", "103", "a", strings.Repeat("b", 4000))})
		})
		again := frames(func(f *http2.Framer, block func(...string) []byte) {
			indexed := bytes.Repeat([]byte{0x80 | 62}, 60) // of the table, what came last
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndHeaders: true, BlockFragment: append([]byte("\x08\x03103"), indexed...)})
		})
		return get(b.says(settings+head, []byte(again)), "h2")
	}},
	{reader: "HTTP/2 client", input: "GOAWAY without end", most: 50, args: func(b *bombs) []string {
		return get(b.says(settings, []byte(frames(func(f *http2.Framer, _ func(...string) []byte) {
			_ = f.WriteGoAway(math.MaxInt32, http2.ErrCodeNo, make([]byte, 1000))
		}))), "h2")
	}},
	{reader: "HTTP/2 client", input: "PING without end", most: 50, args: func(b *bombs) []string {
		return get(b.says(settings, []byte(frames(func(f *http2.Framer, _ func(...string) []byte) {
			_ = f.WritePing(false, [8]byte{})
		}))), "h2")
	}},
	{reader: "HTTP/3 client", input: "fields of 1 GB", most: 80, args: func(b *bombs) []string {
		return b.h3("\x01"+string(quicvarint.Append(nil, 1<<30)), make([]byte, 1))
	}},
	{reader: "HTTP/3 client", input: "frames of unknown type without end", most: 80, args: func(b *bombs) []string {
		return b.h3(answering, []byte("\x21\x01x"))
	}},
	{reader: "HTTP/3 client", input: "interim responses without end", most: 80, args: func(b *bombs) []string {
		return b.h3("", []byte("\x01\x03\x00\x00\xd8")) // :status 103
	}},
	{reader: "HTTP/3 client", input: "empty DATA without end", most: 80, args: func(b *bombs) []string {
		return b.h3(answering, []byte("\x00\x00"))
	}},
	{reader: "DNS client", input: "over TCP, answers to what nobody asked without end", most: 50, args: func(b *bombs) []string {
		message := append([]byte("\xff\xff"), make([]byte, math.MaxUint16)...)
		return b.names("tcp", b.says("", message))
	}},
	{reader: "DNS client", input: "over UDP, datagrams of 60 KB for another query without end", most: 50, waits: true, args: func(b *bombs) []string {
		socket, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			b.t.Fatal(err)
		}
		b.t.Cleanup(func() { socket.Close() })
		go func() {
			message := make([]byte, 60_000)
			_, from, err := socket.ReadFrom(message)
			for ; err == nil; time.Sleep(time.Microsecond) {
				message[0]++
				_, err = socket.WriteTo(message, from)
			}
		}()
		return b.names("udp", socket.LocalAddr().String())
	}},
	{reader: "DevTools", input: "a message of the browser without end", most: 300, waits: true, args: func(b *bombs) []string {
		return []string{"browser", b.script("exec cat /dev/urandom | tr '\\0' x >&4")}
	}},
	{reader: "DevTools", input: "events of the browser without end", most: 100, waits: true, args: func(b *bombs) []string {
		return []string{"browser", b.script(`while :; do printf '{"method":"Network.requestWillBeSent","params":{"requestId":"%s","request":{"url":"https://origin/x"}}}\0' $((i+=1)) >&4; done`)}
	}},
}

// names is what looks one name up at a server, and does not wait long.
func (b *bombs) names(strategy, server string) []string {
	name := filepath.Join(b.t.TempDir(), "names")
	if err := os.WriteFile(name, []byte("a.example A\n"), 0o600); err != nil {
		b.t.Fatal(err)
	}
	return []string{"compare", "dns", "--names", name, "--server", server, "--on", "live", "-s", strategy, "--trials", "1", "--timeout", "3s"}
}

// script is a program that a shell runs.
func (b *bombs) script(text string) string {
	name := filepath.Join(b.t.TempDir(), "browser")
	if err := os.WriteFile(name, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
		b.t.Fatal(err)
	}
	return name
}

// attackers are to have a server hold memory.
var attackers = []bomb{
	{reader: "serve", input: "5,000 connections that say nothing", most: 150, args: serve("--http"), attack: func(b *bombs, address string) {
		for range b.some(5000) {
			b.connect(address)
		}
	}},
	{reader: "serve", input: "2,000 connections of which each has sent a head of 200 KB without its end", most: 900, args: serve("--http"), attack: func(b *bombs, address string) {
		head := "GET / HTTP/1.1\r\nX: " + strings.Repeat("x", 200<<10)
		for range b.some(2000) {
			_, _ = io.WriteString(b.connect(address), head)
		}
	}},
	{reader: "serve", input: "200,000 requests of HTTP/2, each reset", most: 80, args: serve("--http"), attack: func(b *bombs, address string) {
		for range b.some(200_000) / 2000 {
			c := b.connect(address)
			go io.Copy(io.Discard, c)
			_, err := io.WriteString(c, http2.ClientPreface+frames(func(f *http2.Framer, _ func(...string) []byte) { _ = f.WriteSettings() }))
			for id := uint32(1); err == nil && id < 2*2000; id += 2 {
				_, err = io.WriteString(c, frames(func(f *http2.Framer, block func(...string) []byte) {
					_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, EndHeaders: true, EndStream: true,
						BlockFragment: block(":method", "GET", ":scheme", "http", ":authority", "a", ":path", "/delay/60s")})
					_ = f.WriteRSTStream(id, http2.ErrCodeCancel)
				}))
			}
		}
	}},
	{reader: "serve --h3", input: "20,000 packets that open a connection of QUIC", most: 250, args: serve("--h3"), attack: func(b *bombs, address string) {
		floodInitials(b.t, address, b.some(20_000))
	}},
}

// serve is a server on a port that a flag opens.
func serve(flag string) func(*bombs) []string {
	return func(b *bombs) []string {
		b.portFile = filepath.Join(b.t.TempDir(), "port")
		b.visitor = "http://%s/bytes/1"
		if flag == "--h3" {
			b.visitor = "https://%s/bytes/1"
		}
		return []string{"serve", flag, "0", "--port-file", b.portFile}
	}
}

// besiege attacks a server. Who comes meanwhile, and behind the attackers, is served.
func (b *bombs) besiege(x bomb) {
	address := b.served()
	visit := func() {
		strategy := "keep"
		if strings.HasPrefix(b.visitor, "https") {
			strategy = "h3"
		}
		visit := exec.Command(os.Args[0], "peak", "get", fmt.Sprintf(b.visitor, address), "-k", "-s", strategy, "--timeout", "30s")
		if said, err := visit.CombinedOutput(); err != nil {
			b.t.Errorf("who comes while it is attacked is not served: %v, %s", err, said)
		}
	}
	attacked := make(chan struct{})
	go func() {
		defer close(attacked)
		x.attack(b, address)
	}()
	visit()
	<-attacked
	visit()
	for _, c := range b.open {
		c.Close()
	}
}

// connect opens a connection that is open until the attack is over.
func (b *bombs) connect(address string) net.Conn {
	c, err := net.Dial("tcp", address)
	if err != nil {
		b.t.Error(err)
		c, _ = net.Pipe()
		c.Close()
	}
	b.open = append(b.open, c)
	return c
}

// initials makes Initial packets of QUIC, each of a connection of its own and with a
// whole ClientHello for HTTP/3 in it, as whoever means to make a server work sends them.
type initials struct{ hello []byte }

func newInitials(t testing.TB) *initials {
	c := tls.QUICClient(&tls.QUICConfig{TLSConfig: &tls.Config{
		MinVersion: tls.VersionTLS13, InsecureSkipVerify: true, NextProtos: []string{"h3"},
		CurvePreferences: []tls.CurveID{tls.X25519}, // which fits into one packet
	}})
	defer c.Close()
	// initial_source_connection_id, which is empty, and leave for the server to begin as it
	// does: initial_max_data, initial_max_stream_data_uni, initial_max_streams_uni (RFC 9000,
	// 18.2).
	c.SetTransportParameters([]byte{0x0f, 0, 0x04, 2, 0x7f, 0xff, 0x07, 2, 0x7f, 0xff, 0x09, 1, 0x3f})
	if err := c.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	for e := c.NextEvent(); e.Kind != tls.QUICNoEvent; e = c.NextEvent() {
		if e.Kind == tls.QUICWriteData {
			return &initials{append([]byte(nil), e.Data...)}
		}
	}
	t.Fatal("no ClientHello")
	return nil
}

// next returns the packet that opens another connection (RFC 9000, 17.2.2; RFC 9001, 5).
func (p *initials) next() []byte {
	const size, number, tag = 1200, 4, 16
	id := make([]byte, 8)
	_, _ = rand.Read(id)
	b := append([]byte{0xc0 | number - 1, 0, 0, 0, 1, byte(len(id))}, id...)
	b = append(b, 0, 0) // no Source Connection ID, no token
	at := len(b) + 2
	b = binary.BigEndian.AppendUint16(b, 0x4000|uint16(size-at))
	b = append(b, make([]byte, number)...)

	payload := append([]byte{0x06, 0}, binary.BigEndian.AppendUint16(nil, 0x4000|uint16(len(p.hello)))...)
	payload = append(payload, p.hello...)
	payload = append(payload, make([]byte, size-len(b)-len(payload)-tag)...)

	salt := []byte{0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a}
	secret, _ := hkdf.Extract(sha256.New, id, salt)
	secret = expandLabel(secret, "client in", sha256.Size)
	seal, _ := aes.NewCipher(expandLabel(secret, "quic key", 16))
	gcm, _ := cipher.NewGCM(seal)
	b = gcm.Seal(b, expandLabel(secret, "quic iv", 12), payload, b)
	mask := make([]byte, 16)
	hide, _ := aes.NewCipher(expandLabel(secret, "quic hp", 16))
	hide.Encrypt(mask, b[at+4:at+4+16])
	b[0] ^= mask[0] & 0x0f
	for i := range number {
		b[at+i] ^= mask[1+i]
	}
	return b
}

// expandLabel is HKDF-Expand-Label (RFC 8446, 7.1) without a context.
func expandLabel(secret []byte, label string, n int) []byte {
	info := binary.BigEndian.AppendUint16(nil, uint16(n))
	info = append(info, byte(len("tls13 ")+len(label)))
	info = append(info, "tls13 "+label...)
	key, _ := hkdf.Expand(sha256.New, secret, string(append(info, 0)), n)
	return key
}

// floodInitials sends n of them to a server, from many ports.
func floodInitials(t testing.TB, address string, n int) {
	p := newInitials(t)
	var sockets []net.Conn
	for range 64 {
		c, err := net.Dial("udp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		sockets = append(sockets, c)
	}
	for i := range n {
		_, _ = sockets[i%len(sockets)].Write(p.next()) // a full buffer is what is meant
	}
}
