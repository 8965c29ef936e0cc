package fields

import (
	"bytes"
	"testing"

	"github.com/quic-go/qpack"
)

// The sizes of field sections are those of the encoder that client and origin use.
func TestFieldSectionsAreAsLongAsQPACKWritesThem(t *testing.T) {
	for name, known := range staticFields {
		values := []string{"", "x", "nothing-in-the-table", "?&\x00\xff", string(bytes.Repeat([]byte("long"), 300))}
		for v := range known.values {
			values = append(values, v)
		}
		for _, v := range values {
			sameSize(t, name, v)
		}
	}
	for _, name := range []string{"a", "x-pad", "a-name-that-is-rather-long-for-what-it-is"} {
		sameSize(t, name, "value")
	}
}

func sameSize(t *testing.T, name, value string) {
	t.Helper()
	var w bytes.Buffer
	e := qpack.NewEncoder(&w)
	if err := e.WriteField(qpack.HeaderField{Name: name, Value: value}); err != nil {
		t.Fatal(err)
	}
	var b QPACK
	b.Reset()
	if b.Add(name, value); b.Size != int64(w.Len()) {
		t.Errorf("%s: %q: %d bytes, QPACK writes %d", name, value, b.Size, w.Len())
	}
}
