// Package content makes the bodies that a workload describes, and checks what has come of
// them. Both ends of a measurement make the same bytes from the same workload, so that the
// server stores nothing and the client keeps nothing.
//
//	Body     the content of a response: HTML, PNG, GIF and JSON are valid, the rest is Filler
//	Request  the content of a request
//	Named    which exchanges the HTML of a page has a browser fetch
//	Sum      the checksum of a body, which a receiver works out from what comes and compares
//
// Every body has exactly the size that the workload says, and none but text shrinks when
// it is compressed, so that a size on the wire is the workload's and not a compressor's.
package content

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"strings"

	"linger"
)

// maxCrafted is the largest body that is made as what its content type says,
// which happens in memory. A larger one is streamed filler.
const maxCrafted = 4 << 20

// Body returns the content of the response to exchange i of w: exactly ResponseBody bytes,
// the same at every call, nothing where the response carries no content.
//
// HTML is HTML, and each tag that names a child ends at the child's At, wherever
// the offsets leave room for it; PNG, GIF and JSON are valid, too, from the size on
// at which they can be. Everything else, and every body above 4 MiB, is Filler.
func Body(w linger.Workload, i int) io.Reader {
	e := w.Exchanges[i]
	if !e.HasBody() || e.ResponseBody == 0 {
		return bytes.NewReader(nil)
	}
	name := e.Method + " " + e.Path
	if e.ResponseBody <= maxCrafted {
		n := int(e.ResponseBody)
		var b []byte
		switch MediaType(e.ContentType) {
		case "text/html":
			b, _ = page(w, i)
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

// Request returns the content of the request of exchange i of w: exactly RequestBody
// bytes, the same at every call.
func Request(w linger.Workload, i int) io.Reader {
	e := w.Exchanges[i]
	return Filler("request "+e.Method+" "+e.Path, e.RequestBody)
}

// A Sum is the checksum of a body, CRC-32C: for a receiver that would rather not keep the
// body, nor make it anew. The zero Sum is that of no bytes.
type Sum uint32

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Add returns the checksum of what s is of, with p behind it.
func (s Sum) Add(p []byte) Sum { return Sum(crc32.Update(uint32(s), castagnoli, p)) }

// Write adds p. It does not fail.
func (s *Sum) Write(p []byte) (int, error) {
	*s = s.Add(p)
	return len(p), nil
}

// SumOf returns the checksum of what Body returns.
func SumOf(w linger.Workload, i int) Sum {
	var s Sum
	// A body is made in memory: neither side can fail.
	_, _ = io.Copy(&s, Body(w, i))
	return s
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

// MediaType is a content type without its parameters, in lower case.
func MediaType(contentType string) string {
	t, _, _ := strings.Cut(contentType, ";")
	return strings.ToLower(strings.TrimSpace(t))
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
