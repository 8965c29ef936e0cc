package http3

import (
	"bufio"
	"bytes"
	"net/url"
	"testing"

	"linger/probe/prober"
	"linger/wire"
)

func FuzzHTTP3(f *testing.F) {
	f.Add([]byte{wire.FrameSettings, 4, 6, 0x44, 0, 1})
	f.Add([]byte{wire.FrameHeaders, 4, 0, 0, 0xd9, 0xd1, wire.FrameData, 2, 'h', 'i'})
	f.Fuzz(func(t *testing.T, b []byte) {
		p := prober.New(prober.Terms{URL: new(url.URL)})
		defer p.NoMore()
		c := &conn{prober: p, settled: make(chan struct{}), goaway: make(chan struct{})}
		for r := bufio.NewReader(bytes.NewReader(b)); ; {
			kind, payload, err := readFrame(r, wire.MaxControlFrame)
			if err != nil {
				break
			}
			c.control(kind, payload)
		}
		var a answer
		for r := bufio.NewReader(bytes.NewReader(b)); ; {
			if c.part(r, &a) != nil {
				break
			}
		}
	})
}
