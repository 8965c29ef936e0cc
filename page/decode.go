package page

import (
	"compress/gzip"
	"fmt"
	"io"
	"strings"

	"linger"
)

// decoded returns the text of content, nothing where its coding is not known, and
// where in the content a place in the text is. Of what is compressed that is as far as
// has come when the text is there. broken is why not all of the text could be had, in
// words behind "the content", once it has been read.
func decoded(in io.Reader, coding string) (text io.Reader, where func(int64) int64, broken func() string) {
	switch strings.ToLower(strings.TrimSpace(coding)) {
	case "", "identity":
		return in, func(at int64) int64 { return at }, func() string { return "" }
	case "gzip", "x-gzip":
		g := &gunzip{in: countedReader{in: in}}
		// RFC 1952; of a bomb no more is unpacked than a page may have.
		return io.LimitReader(g, MaxBytes), func(int64) int64 { return g.in.n }, g.broken
	}
	return strings.NewReader(""), func(int64) int64 { return 0 },
		func() string { return fmt.Sprintf("is coded as %s, which was not asked for", linger.Brief(coding)) }
}

// A countedReader counts what is read.
type countedReader struct {
	in  io.Reader
	n   int64
	err error
}

func (c *countedReader) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	c.n += int64(n)
	c.err = err
	return n, err
}

// A gunzip unpacks from the first read on.
type gunzip struct {
	in  countedReader
	z   *gzip.Reader
	err error
}

func (g *gunzip) Read(p []byte) (n int, err error) {
	if g.z == nil {
		if g.z, g.err = gzip.NewReader(&g.in); g.err != nil {
			return 0, g.err
		}
	}
	n, g.err = g.z.Read(p)
	return n, g.err
}

// broken is why it could not be unpacked. Of what did not come whole, or holds nothing, that is
// said elsewhere, or is no fault.
func (g *gunzip) broken() string {
	switch {
	case g.err == nil || g.err == io.EOF || g.in.err != nil && g.in.err != io.EOF || g.in.n == 0:
		return ""
	case g.err == io.ErrUnexpectedEOF:
		return "is gzip that ends early"
	}
	return "is gzip that cannot be unpacked"
}
