package packet_test

import (
	"bytes"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"linger"
	"linger/trace"
)

// An h2talk is HTTP/2 on a connection of a film.
type h2talk struct {
	*talk
	buf    bytes.Buffer
	framer *http2.Framer
	head   [2]bytes.Buffer
	heads  [2]*hpack.Encoder
}

func (t *talk) h2() *h2talk {
	h := &h2talk{talk: t}
	h.framer = http2.NewFramer(&h.buf, nil)
	for i := range h.heads {
		h.heads[i] = hpack.NewEncoder(&h.head[i])
	}
	return h
}

// says sends what was written.
func (h *h2talk) says(from int) *h2talk {
	h.say(from, h.buf.String())
	h.buf.Reset()
	return h
}

func (h *h2talk) preface() *h2talk {
	h.buf.WriteString(http2.ClientPreface)
	h.framer.WriteSettings()
	h.says(cli)
	h.framer.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 9})
	return h.says(srv)
}

func (h *h2talk) write(from int, id uint32, end bool, pairs ...string) {
	h.head[from].Reset()
	for i := 0; i < len(pairs); i += 2 {
		h.heads[from].WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]})
	}
	h.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: h.head[from].Bytes(), EndHeaders: true, EndStream: end})
}

// exchange is a request for /path and its answer of so many bytes.
func (h *h2talk) exchange(id uint32, path string, body int) *h2talk {
	h.write(cli, id, true, ":method", "GET", ":scheme", "http", ":authority", "h.example", ":path", path)
	h.says(cli)
	h.write(srv, id, false, ":status", "200")
	h.framer.WriteData(id, true, make([]byte, body))
	return h.says(srv)
}

func TestHTTP2(t *testing.T) {
	t.Run("prior knowledge", func(t *testing.T) {
		f := newFilm()
		f.talk(client, server).open().h2().preface().exchange(1, "/a", 3000).exchange(3, "/b", 5).close(cli)
		r, _ := read(t, f.pcap(raw, whole))
		is(t, r, "0/1 GET http://h.example/a 200 0+3000", "0/2 GET http://h.example/b 200 0+5",
			"0 192.0.2.7:50000 > 192.0.2.1:80 h2 2 closed by client with fin")
		if c := r.Connections[0]; c.Streams != linger.Known(int64(9)) || c.Known.Protocol != trace.Seen || c.Origin != "h.example" {
			t.Errorf("got %+v", c)
		}
	})
	t.Run("the server speaks first", func(t *testing.T) {
		f := newFilm()
		h := f.talk(client, server).open().h2()
		h.framer.WriteSettings()
		h.says(srv).preface().exchange(1, "/a", 7).close(srv)
		r, _ := read(t, f.pcap(raw, whole))
		is(t, r, "0/1 GET http://h.example/a 200 0+7", "0 192.0.2.7:50000 > 192.0.2.1:80 h2 1 closed by server with fin")
	})
	t.Run("began before", func(t *testing.T) {
		f := newFilm()
		h := f.talk(client, server).h2()
		h.mute = true
		h.preface().exchange(1, "/a", 7)
		h.mute = false
		h.exchange(3, "/a", 8).exchange(5, "/c", 9).exchange(7, "/c", 10).close(srv)
		r, _ := read(t, f.pcap(raw, whole))
		is(t, r, "0/1 GET  200 0+8", "0/2 GET  200 0+9", "0/3 GET  200 0+10",
			"0 192.0.2.7:50000 > 192.0.2.1:80 h2 3 began before closed by server with fin")
	})
	t.Run("upgrade", func(t *testing.T) {
		f := newFilm()
		h := f.talk(client, server).open().say(cli, strings.Replace(get, "\r\n\r\n", "\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n", 1)).h2()
		h.buf.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
		h.framer.WriteSettings()
		h.says(srv)
		h.buf.WriteString(http2.ClientPreface)
		h.framer.WriteSettings()
		h.says(cli)
		h.write(srv, 1, false, ":status", "200")
		h.framer.WriteData(1, true, make([]byte, 70))
		h.says(srv).exchange(3, "/b", 6).close(cli)
		r, _ := read(t, f.pcap(raw, whole))
		is(t, r, "0/1 GET http://h.example/a 200 0+70", "0/2 GET http://h.example/b 200 0+6",
			"0 192.0.2.7:50000 > 192.0.2.1:80 h2 2 closed by client with fin")
		if x := r.Exchanges[0]; x.Stream != linger.Known(int64(1)) || x.ID != 0 || r.Connections[0].Agent != "t/1" {
			t.Errorf("got %+v", x)
		}
	})
}
