package probe

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"linger/conformance"
)

func TestAlternativeIsFound(t *testing.T) {
	for _, test := range []struct {
		value, host, port string
		ok                bool
	}{
		{`h3=":443"; ma=2592000`, "", "443", true},
		{`h3-29=":443", h3="alt.example:8443"; ma=60; persist=1`, "alt.example", "8443", true},
		{`h2=":443"; v="a,h3=b", h3="[::1]:4433"`, "::1", "4433", true},
		{`h3=":443",h3=":444"`, "", "443", true},
		{`H3=":443"`, "", "443", true},
		{"clear", "", "", false},
		{`h3=":0"`, "", "", false},
		{`h3=":99999"`, "", "", false},
		{`h3="`, "", "", false},
		{`h2=":443"`, "", "", false},
		{"", "", "", false},
	} {
		host, port, ok := alternative(test.value, "h3")
		if host != test.host || port != test.port || ok != test.ok {
			t.Errorf("%s: %q %q %v", test.value, host, port, ok)
		}
	}
}

func FuzzAlternative(f *testing.F) {
	f.Add(`h3=":443"; ma=2592000, h2="a\"b:1"`)
	f.Add(`clear`)
	f.Fuzz(func(t *testing.T, value string) {
		if _, port, ok := alternative(value, "h3"); ok != (port != "") {
			t.Errorf("%q: %q, %v", value, port, ok)
		}
	})
}

// TestTicketsAsTheyCome reads what Go's own server sends, and a message with early data
// that is written by hand.
func TestTicketsAsTheyCome(t *testing.T) {
	message := []byte{newSessionTicket, 0, 0, 26, 0, 0, 0x1c, 0x20, 1, 2, 3, 4, 1, 9, 0, 4, 5, 6, 7, 8, 0, 8, 0, earlyData, 0, 4, 0, 0, 0x40, 0}
	got := ticketsIn(append(message, message...), tls.VersionTLS13)
	if len(got) != 2 || got[1].lifetime != 2*time.Hour || got[1].early != 16<<10 {
		t.Errorf("it reads %+v", got)
	}
	if got := ticketsIn(message[:len(message)-1], tls.VersionTLS13); len(got) != 0 {
		t.Errorf("of a message cut short it reads %+v", got)
	}
	old := []byte{newSessionTicket, 0, 0, 8, 0, 0, 1, 0x2c, 0, 2, 1, 2}
	if got := ticketsIn(old, tls.VersionTLS12); len(got) != 1 || got[0].lifetime != 5*time.Minute {
		t.Errorf("of TLS 1.2 it reads %+v", got)
	}
}

func FuzzTickets(f *testing.F) {
	f.Add([]byte{22, 3, 3, 0, 12, newSessionTicket, 0, 0, 8, 0, 0, 1, 0x2c, 0, 2, 1, 2, 20, 3, 3, 0, 1, 1}, true)
	f.Add([]byte{23, 3, 3, 0, 1, 0}, false)
	f.Fuzz(func(t *testing.T, wire []byte, old bool) {
		version := uint16(tls.VersionTLS13)
		if old {
			version = tls.VersionTLS12
		}
		ticketsOn(wire, version, tls.TLS_AES_128_GCM_SHA256, bytes.Repeat([]byte{1}, 32))
		ticketsIn(wire, version)
		serverSecret(wire)
	})
}

// FuzzHead reads heads of responses: whatever they are, what is wrong is said in one line,
// and what cannot be framed is not read.
func FuzzHead(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"), false)
	f.Add([]byte("HTTP/1.1 100\r\nX : 1\r\n two\r\nno colon\r\n\r\n"), true)
	f.Add([]byte("HTTP/1.0 204 No Content\nContent-Length: 0, 1\n\n"), false)
	f.Fuzz(func(t *testing.T, raw []byte, old bool) {
		h, err := parseHead(raw, old)
		for _, fault := range h.faults {
			if fault.What == "" || strings.ContainsAny(fault.What, "\r\n\x00") || len(fault.What) > 400 {
				t.Errorf("%s: %q", fault.ID, fault.What)
			}
			conformance.CaseByID(fault.ID)
		}
		if err != nil {
			return
		}
		if how, n, err := h.framing("GET"); err == nil && n < 0 || err != nil && how != noContent {
			t.Errorf("%d bytes, framed by %d (%v)", n, how, err)
		}
	})
}

func FuzzHTTP3(f *testing.F) {
	f.Add([]byte{frameSettings, 4, 6, 0x44, 0, 1})
	f.Add([]byte{frameHeaders, 4, 0, 0, 0xd9, 0xd1, frameData, 2, 'h', 'i'})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := newProber(Config{Target: "https://127.0.0.1/"})
		if err != nil {
			t.Fatal(err)
		}
		defer p.impatient()
		c := &http3Conn{prober: p, settled: make(chan struct{}), goaway: make(chan struct{})}
		for r := bufio.NewReader(bytes.NewReader(b)); ; {
			kind, payload, err := readFrame(r, maxControlFrame)
			if err != nil {
				break
			}
			c.control(kind, payload)
		}
		var a http3Answer
		for r := bufio.NewReader(bytes.NewReader(b)); ; {
			if c.part(r, &a) != nil {
				break
			}
		}
	})
}

// FuzzHTTP2 is a server that sends anything to a client that has asked.
func FuzzHTTP2(f *testing.F) {
	var out, block bytes.Buffer
	framer := http2.NewFramer(&out, nil)
	framer.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 3})
	framer.WriteSettingsAck()
	hpack.NewEncoder(&block).WriteField(hpack.HeaderField{Name: ":status", Value: "200"})
	framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: true})
	framer.WriteGoAway(1, http2.ErrCodeNo, []byte("bye"))
	framer.WriteRawFrame(0xa, 0, 0, []byte("\x00\x00h3=\":443\""))
	f.Add(out.Bytes())
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.Fatal(err)
	}
	defer ln.Close()
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := newProber(Config{Target: "http://" + ln.Addr().String() + "/", Answer: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		defer p.impatient()
		p.target.address = ln.Addr().String()
		served := make(chan struct{})
		go func() {
			defer close(served)
			s, err := ln.Accept()
			if err != nil {
				return
			}
			defer s.Close()
			s.Write(b)
			s.(*net.TCPConn).CloseWrite()
			io.Copy(io.Discard, s)
		}()
		c, err := p.openHTTP2(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if c.greet(context.Background()) == nil {
			c.get(context.Background())
			c.awaitEnd(context.Background())
		}
		c.drop()
		<-served
	})
}
