// Package observe reads observed traffic into an audit: captures, or records of one (Reading).
// Access logs are read by observe/logs. It says what to look at, in which order
// several files are read, and what of them gives reason to doubt; what it means is the analysis's
// to say. What has been read when the context ends is a result, too.
//
// Who uses it opens the files, hands them over as Sources, and may be told how far they are read.
package observe

import (
	"cmp"
	"io"
)

// A Source is one file that is read, from its beginning to its end.
type Source struct {
	Name string
	From io.Reader
	// At, if not nil, reads anywhere in the same file, of Size bytes.
	At   io.ReaderAt
	Size int64
}

// heard reads on, and remembers the error that ended that, but for its end.
type heard struct {
	io.Reader
	err error
}

func (h *heard) Read(p []byte) (int, error) {
	n, err := h.Reader.Read(p)
	if err != nil && err != io.EOF {
		h.err = err
	}
	return n, err
}

// because is why a file is not what it was taken for: it could not be read, or else err.
func (h *heard) because(err error) error { return cmp.Or(h.err, err) }
