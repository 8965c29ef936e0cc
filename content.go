package linger

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"path"
	"strings"
)

// maxCrafted is the largest body that is made as what its content type says,
// which happens in memory. A larger one is streamed filler.
const maxCrafted = 4 << 20

// Body returns the content of exchange i's response: exactly ResponseBody bytes,
// the same at every call, nothing where the response carries no content.
//
// HTML is HTML, and each tag that names a child ends at the child's At, wherever
// the offsets leave room for it; PNG, GIF and JSON are valid, too, from the size on
// at which they can be. Everything else, and every body above 4 MiB, is Filler.
func (w Workload) Body(i int) io.Reader {
	e := w.Exchanges[i]
	if !e.HasBody() || e.ResponseBody == 0 {
		return bytes.NewReader(nil)
	}
	name := e.Method + " " + e.Path
	if e.ResponseBody <= maxCrafted {
		n := int(e.ResponseBody)
		var b []byte
		switch mediaType(e.ContentType) {
		case "text/html":
			b = w.html(i)
		case "image/png":
			b = pngOf(name, n)
		case "image/gif":
			b = gifOf(name, n)
		case "application/json":
			b = jsonOf(e.Path, n)
		}
		if b != nil {
			return bytes.NewReader(b)
		}
	}
	return Filler(name, e.ResponseBody)
}

// RequestContent returns the content of exchange i's request: exactly
// RequestBody bytes, the same at every call.
func (w Workload) RequestContent(i int) io.Reader {
	e := w.Exchanges[i]
	return Filler("request "+e.Method+" "+e.Path, e.RequestBody)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Sum returns the CRC-32C of exchange i's body, for a receiver that would rather
// not keep the body, nor make it anew.
func (w Workload) Sum(i int) uint32 {
	h := crc32.New(castagnoli)
	// A body is made in memory: neither side can fail.
	_, _ = io.Copy(h, w.Body(i))
	return h.Sum32()
}

// Filler returns n bytes that no compression can shrink, the same for the same
// name, streamed: it holds no more than a few hundred bytes of memory.
func Filler(name string, n int64) io.Reader {
	return io.LimitReader(source(name), n)
}

// source is the random numbers that belong to a name.
func source(name string) *rand.ChaCha8 {
	return rand.NewChaCha8(sha256.Sum256([]byte(name)))
}

// mediaType is a content type without its parameters.
func mediaType(contentType string) string {
	t, _, _ := strings.Cut(contentType, ";")
	return strings.ToLower(strings.TrimSpace(t))
}

// typeOf is the content type that the ending of a path promises.
func typeOf(target string) string {
	target, _, _ = strings.Cut(target, "?")
	switch strings.ToLower(path.Ext(target)) {
	case ".html", ".htm":
		return "text/html"
	case ".png":
		return "image/png"
	case ".gif":
		return "image/gif"
	case ".jpg", ".jpeg":
		return "image/jpeg"
	case ".svg":
		return "image/svg+xml"
	case ".css":
		return "text/css"
	case ".js":
		return "text/javascript"
	case ".json":
		return "application/json"
	case ".woff2":
		return "font/woff2"
	case "":
		if strings.HasSuffix(target, "/") {
			return "text/html"
		}
	}
	return "application/octet-stream"
}

// jsonOf returns a JSON value of exactly n bytes: an object where there is room,
// else a string, else a digit.
func jsonOf(path string, n int) []byte {
	if n == 1 {
		return []byte("1")
	}
	head, tail := fmt.Sprintf(`{"path":%q,"text":"`, path), `"}`
	if len(head)+len(tail) > n {
		head, tail = `"`, `"`
	}
	return []byte(head + prose(source(path), n-len(head)-len(tail)) + tail)
}

// words are what pages are filled with.
var words = strings.Fields(`the a one every this that our your some no more small great old new early late quiet
	bright slow quick open kept closed warm cold near far harbour bridge window garden river letter packet road
	station island market corner morning evening winter summer light water stone paper picture story question
	answer journey train boat tower valley forest engine signal circle number reader painter sailor keeper
	opens closes waits returns carries crosses follows remembers counts leaves finds keeps holds turns begins
	rests over under along beside behind between after before without and but while where because until again
	slowly often never almost already together there here once`)

// prose returns exactly n bytes of what looks like sentences: ASCII letters,
// blanks and full stops, so that it can stand in HTML and JSON as it is.
func prose(src rand.Source, n int) string {
	if n <= 0 {
		return ""
	}
	rng := rand.New(src)
	b := make([]byte, 0, n+16)
	for begin, left := true, 0; len(b) < n-1; left-- {
		w := words[rng.IntN(len(words))]
		if begin {
			left = 5 + rng.IntN(9)
			b = append(b, w[0]-'a'+'A')
			w = w[1:]
		}
		b = append(b, w...)
		if begin = left == 0; begin {
			b = append(b, '.')
		}
		b = append(b, ' ')
	}
	b = append(b[:n-1], '.')
	if n > 1 && (b[n-2] == ' ' || b[n-2] == '.') {
		b[n-2] = 's' // a cut that leaves no word before the full stop
	}
	return string(b)
}
