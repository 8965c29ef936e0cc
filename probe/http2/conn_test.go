package http2

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/url"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"linger/probe/prober"
)

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
		p := New(prober.New(prober.Terms{URL: new(url.URL), Requests: 100, Answer: time.Second}))
		defer p.NoMore()
		p.Target.Address = ln.Addr().String()
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
		c, err := p.open(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if c.greet(context.Background()) == nil {
			c.get(context.Background())
			c.awaitEnd(context.Background())
		}
		c.Drop()
		<-served
	})
}
