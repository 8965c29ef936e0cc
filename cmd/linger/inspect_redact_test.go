package main

import "testing"

// What names an address is hidden as the address is, so that what was the same stays so.
func TestHiddenNamesOfAddresses(t *testing.T) {
	in := &inspection{key: []byte("key")}
	for _, same := range [][2]string{
		{in.hiddenName("192.0.2.1:80"), in.hidden("192.0.2.1:80")}, {in.hiddenName("[2001:db8::1]:80"), in.hidden("[2001:db8::1]:80")},
		{in.hiddenName("192.0.2.1") + ":80", in.hidden("192.0.2.1:80")}, {in.hiddenName("[2001:db8::1]") + ":80", in.hidden("[2001:db8::1]:80")},
		{in.hiddenName("Shop.example"), in.hiddenName("shop.example")},
	} {
		if same[0] != same[1] {
			t.Errorf("%s is not %s", same[0], same[1])
		}
	}
	if in.hiddenName("192.0.2.1") == in.hiddenName("192.0.2.2") {
		t.Error("two are one")
	}
}
