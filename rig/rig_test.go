package rig

import "testing"

func TestProcessorIsNamedAsTheKernelDoes(t *testing.T) {
	for _, c := range []struct{ info, want string }{
		{"processor\t: 0\nmodel name\t: Fast CPU @ 3.00GHz\n\nprocessor\t: 1\nmodel name\t: Other\n", "Fast CPU @ 3.00GHz"},
		{"processor\t: 0\nBogoMIPS\t: 50\n", "arm64"}, // as on ARM
		{"", "arm64"},
	} {
		if got := processor(c.info, "arm64"); got != c.want {
			t.Errorf("%q gives %q; want %q", c.info, got, c.want)
		}
	}
}
