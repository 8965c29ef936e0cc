package http2_test

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/net/http2"
)

// URLs of many open streams are not kept beyond a bound, and requests are counted all the same.
func TestURLsOfOpenStreamsAreBounded(t *testing.T) {
	p := newPlay().begin()
	const streams, size = 3000, 1900
	for i := range streams {
		path := "/" + fmt.Sprint(i%2) + strings.Repeat("p", size)
		p.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: uint32(2*i + 1), BlockFragment: p.block(0, ":method", "GET", ":scheme", "https", ":authority", "h.example", ":path", path), EndHeaders: true, EndStream: true})
	}
	f := p.say(0).feed()
	kept := 0
	f.end("the capture ended")
	for _, x := range f.sum {
		kept += len(x.URL)
	}
	if len(f.sum) != streams || kept > 4<<20 || kept < 3<<20 || f.c.Unread == 0 || f.c.Requests != streams {
		t.Errorf("%d exchanges with %d bytes of URLs, %d unread", len(f.sum), kept, f.c.Unread)
	}
}
