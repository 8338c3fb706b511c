// The formats with strips of their own, named one by one: a row taken away from block_formats() is
// missed by the tests that go through them.
#pragma once

#include "codec/codec.h"

namespace bittern::test {

inline constexpr codec::Id kBlockCodecs[] = {
    codec::Id::q4_0,   codec::Id::q4_1,    codec::Id::q5_0,   codec::Id::q5_1,    codec::Id::q8_0,
    codec::Id::q2_k,   codec::Id::q3_k,    codec::Id::q4_k,   codec::Id::q5_k,    codec::Id::q6_k,
    codec::Id::iq4_nl, codec::Id::iq4_xs,  codec::Id::mxfp4,  codec::Id::nvfp4,   codec::Id::q1_0,
    codec::Id::q2_0,   codec::Id::pq2_0,   codec::Id::ptq1_0, codec::Id::tq1_0,   codec::Id::tq2_0,
    codec::Id::stq1_0, codec::Id::iq3_xxs, codec::Id::iq3_s,  codec::Id::iq2_xxs, codec::Id::iq2_xs,
    codec::Id::iq2_s,  codec::Id::iq1_s,   codec::Id::iq1_m};

}  // namespace bittern::test
