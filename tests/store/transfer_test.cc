// The download engine against a server with every fault a server can have.
#include "store/transfer.h"

#include <gtest/gtest.h>

#include "base/file_map.h"
#include "base/zip.h"
#include "hub_server.h"
#include "store/partial_file.h"
#include "store/remote_file.h"
#include "throws.h"

namespace bittern::model_store {
namespace {

using test::HubServer;
using test::message_of;
using test::sha256_of;
using test::TemporaryFolder;
using test::thrown_by;

const Log kSilent(Log::Level::quiet);

std::string some_bytes(size_t count) {
  std::string bytes(count, '\0');
  for (size_t i = 0; i < count; ++i) bytes[i] = static_cast<char>(i * 2654435761u >> 13);
  return bytes;
}

class TransferTest : public testing::Test {
 protected:
  HubServer server;
  TemporaryFolder folder;
  std::vector<double> waits;  // that were asked for; nobody waits
  const std::string content = some_bytes(300'000);
  const std::string path = "/file.bin";

  HttpOptions options() {
    HttpOptions options;
    options.stall_seconds = 1;
    options.wait = [this](double seconds) { waits.push_back(seconds); };
    return options;
  }
  Transfer plain(std::optional<int64_t> bytes, const std::string& sha256) {
    Transfer transfer;
    transfer.target = folder.path() / "file.bin";
    transfer.label = "file.bin";
    transfer.pieces.emplace_back().url = server.url(path);
    transfer.pieces.front().bytes = bytes;
    transfer.bytes = bytes;
    transfer.sha256 = sha256;
    return transfer;
  }
  Transfer verified() { return plain(content.size(), sha256_of(content)); }
  Arrived run(const Transfer& transfer) {
    Http http(options());
    Progress progress("x", 0, Progress::Unit::bytes, "", true);
    return run_transfer(http, transfer, progress, kSilent);
  }
  std::string arrived() const { return read_text_file(folder.path() / "file.bin", 1 << 24); }
  bool exists(const std::string& name) const {
    return std::filesystem::exists(folder.path() / name);
  }
  void serve(JsonBuilder route) {
    route["body"] = server.body("content", content);
    server.route(path, std::move(route));
  }
};

TEST_F(TransferTest, BringsAFileAndLeavesNothingElse) {
  serve({{"etag", "\"v1\""}});
  const Arrived result = run(verified());
  EXPECT_EQ(result.sha256, sha256_of(content));
  EXPECT_EQ(result.bytes, static_cast<int64_t>(content.size()));
  EXPECT_EQ(arrived(), content);
  EXPECT_FALSE(exists("file.bin.partial"));
  EXPECT_FALSE(exists("file.bin.partial.json"));
  EXPECT_EQ(server.log().size(), 1u);
  EXPECT_TRUE(waits.empty());
}

TEST_F(TransferTest, EmptyFiles) {
  server.route(path, {{"text", ""}});
  EXPECT_EQ(run(plain(0, sha256_of(""))).bytes, 0);
  EXPECT_EQ(arrived(), "");
}

TEST_F(TransferTest, GoesOnAfterACutConnection) {
  serve({{"etag", "\"v1\""}, {"steps", {{{"cut", 100'000}}, {{"cut", 50'000}}, {{"cut", 0}}, {}}}});
  run(verified());
  EXPECT_EQ(arrived(), content);
  const auto log = server.log();
  ASSERT_EQ(log.size(), 4u);
  EXPECT_TRUE(log[0]["Range"].is_null());
  EXPECT_EQ(log[1]["Range"], "bytes=100000-");
  EXPECT_EQ(log[1]["If-Range"], "\"v1\"");
  EXPECT_EQ(log[2]["Range"], "bytes=150000-");
  EXPECT_EQ(log[3]["Range"], "bytes=150000-");
  // Bytes between failures start the pauses anew.
  EXPECT_EQ(waits, (std::vector<double>{1, 1, 2}));
}

TEST_F(TransferTest, GoesOnInAnotherProcess) {
  serve({{"etag", "\"v1\""}, {"steps", {{{"cut", 100'000}}, {{"status", 404}}, {}}}});
  EXPECT_NE(message_of([&] { run(verified()); }).find("404"), std::string::npos);
  EXPECT_FALSE(exists("file.bin"));
  EXPECT_TRUE(exists("file.bin.partial"));
  EXPECT_EQ(bytes_already_here(verified()), 100'000);
  run(verified());
  EXPECT_EQ(arrived(), content);
  EXPECT_EQ(server.log().back()["Range"], "bytes=100000-");
}

TEST_F(TransferTest, AChangedFileIsFetchedFromTheStart) {
  const std::string former = some_bytes(200'000);
  server.route(
      path,
      {{"body", server.body("content", content)},
       {"etag", "\"v2\""},
       {"steps",
        {{{"body", server.body("former", former)}, {"etag", "\"v1\""}, {"cut", 100'000}}, {}}}});
  run(plain(std::nullopt, ""));
  EXPECT_EQ(arrived(), content);
  EXPECT_EQ(server.log()[1]["If-Range"], "\"v1\"");
}

TEST_F(TransferTest, WithoutATagOrADigestNothingIsPutTogether) {
  serve({{"steps", {{{"cut", 100'000}}, {}}}});
  run(plain(std::nullopt, ""));
  EXPECT_EQ(arrived(), content);
  EXPECT_TRUE(server.log()[1]["Range"].is_null());
  // A weak tag is none.
  serve({{"etag", "W/\"v1\""}, {"steps", {{}, {}, {{"cut", 100'000}}, {}}}});
  std::filesystem::remove(folder.path() / "file.bin");
  run(plain(std::nullopt, ""));
  EXPECT_TRUE(server.log().back()["Range"].is_null());
  EXPECT_TRUE(server.log().back()["If-Range"].is_null());
}

TEST_F(TransferTest, WithADigestTheRestIsEnoughWithoutATag) {
  serve({{"steps", {{{"cut", 100'000}}, {}}}});
  run(verified());
  EXPECT_EQ(arrived(), content);
  EXPECT_EQ(server.log()[1]["Range"], "bytes=100000-");
}

TEST_F(TransferTest, AServerWithoutRangesSendsItAllAgain) {
  serve({{"etag", "\"v1\""}, {"ranges", false}, {"steps", {{{"cut", 100'000}}, {}}}});
  run(verified());
  EXPECT_EQ(arrived(), content);
}

TEST_F(TransferTest, AWrongDigestRemovesWhatArrived) {
  serve({{"etag", "\"v1\""}});
  const std::string wrong = sha256_of("other");
  const auto thrown = thrown_by([&] { run(plain(content.size(), wrong)); });
  ASSERT_TRUE(thrown);
  EXPECT_EQ(thrown->kind, ErrorKind::bad_input);
  EXPECT_EQ(thrown->message, "file.bin: sha256 " + wrong + " expected, got " + sha256_of(content) +
                                 "; what arrived was removed");
  EXPECT_FALSE(exists("file.bin"));
  EXPECT_FALSE(exists("file.bin.partial"));
  EXPECT_FALSE(exists("file.bin.partial.json"));
}

TEST_F(TransferTest, GitsBlobIdIsCheckedToo) {
  Transfer transfer = plain(6, "");
  server.route(path, {{"text", "hello\n"}});
  transfer.git_sha1 = "ce013625030ba8dba906f756967f9e9ca394464a";  // git hash-object
  EXPECT_EQ(run(transfer).bytes, 6);
  transfer.git_sha1.back() = 'b';
  EXPECT_NE(message_of([&] { run(transfer); }).find("git blob"), std::string::npos);
}

TEST_F(TransferTest, AWrongLengthIsSaidBeforeItIsFetched) {
  serve({});
  EXPECT_EQ(message_of([&] { run(plain(299'999, "")); }),
            "file.bin: 299999 bytes expected, the server has 300000; what arrived was removed");
  EXPECT_EQ(message_of([&] { run(plain(300'001, "")); }),
            "file.bin: 300001 bytes expected, the server has 300000; what arrived was removed");
}

TEST_F(TransferTest, ALengthThatLiesIsNoFile) {
  serve({{"length", 400'000}});
  const auto thrown = thrown_by([&] { run(plain(std::nullopt, "")); });
  ASSERT_TRUE(thrown);
  EXPECT_EQ(thrown->kind, ErrorKind::resources) << thrown->message;
  EXPECT_FALSE(exists("file.bin"));
}

TEST_F(TransferTest, BusyServersAreWaitedFor) {
  serve({{"steps",
          {{{"status", 429}, {"headers", {{"Retry-After", "7"}}}},
           {{"status", 503}},
           {{"status", 500}},
           {}}}});
  run(verified());
  EXPECT_EQ(arrived(), content);
  EXPECT_EQ(waits, (std::vector<double>{7, 2, 4}));
}

TEST_F(TransferTest, NotForEver) {
  serve({{"status", 503}});
  const auto thrown = thrown_by([&] { run(verified()); });
  ASSERT_TRUE(thrown);
  EXPECT_EQ(thrown->kind, ErrorKind::resources);
  EXPECT_EQ(thrown->message, "file.bin: " + server.url() + " answers 503; try again later");
  EXPECT_EQ(waits.size(), static_cast<size_t>(kTriesMax - 1));
  waits.clear();
  serve({{"status", 429}, {"headers", {{"Retry-After", "86400"}}}});
  EXPECT_EQ(message_of([&] { run(verified()); }),
            "file.bin: 429: " + server.url() + " asks to come back in 86400 s");
  EXPECT_TRUE(waits.empty());
}

TEST_F(TransferTest, AStalledConnectionIsCutAndTakenUp) {
  serve({{"etag", "\"v1\""}, {"steps", {{{"stall", 120'000}}, {}}}});
  run(verified());
  EXPECT_EQ(arrived(), content);
  EXPECT_EQ(server.log()[1]["Range"], "bytes=120000-");
}

TEST_F(TransferTest, NoServerIsSaidAtOnce) {
  Transfer transfer = verified();
  transfer.pieces.front().url = "http://127.0.0.1:1/file.bin";
  const auto thrown = thrown_by([&] { run(transfer); });
  ASSERT_TRUE(thrown);
  EXPECT_EQ(thrown->kind, ErrorKind::resources);
  EXPECT_NE(thrown->message.find("http://127.0.0.1:1 cannot be reached"), std::string::npos)
      << thrown->message;
  EXPECT_TRUE(waits.empty());
}

TEST_F(TransferTest, ADamagedNoteCostsOnlyTime) {
  serve({{"etag", "\"v1\""}});
  for (const char* note :
       {"", "{", "[]", "{\"source\": 3}",
        R"({"source": "X", "piece": 99999999999, "in": -5, "out": 9223372036854775807})"}) {
    folder.write("file.bin.partial", "garbage");
    std::string text = note;
    if (const size_t at = text.find("\"X\""); at != std::string::npos)
      text.replace(at, 3, to_text(JsonBuilder(server.url(path) + " 0+-1\n" + sha256_of(content))));
    folder.write("file.bin.partial.json", text);
    run(verified());
    EXPECT_EQ(arrived(), content) << note;
    std::filesystem::remove(folder.path() / "file.bin");
  }
}

// Members of an archive, packed and not.
class MemberTest : public TransferTest {
 protected:
  const FileMap archive = FileMap::open(BITTERN_TEST_DATA "/base/zip/wheel.zip");
  MemorySource source{archive.bytes(), "wheel.zip"};
  std::vector<zip::Entry> entries = zip::read_directory(source);

  Piece piece(size_t index) {
    Piece piece;
    piece.url = server.url("/wheel.zip");
    piece.offset = zip::data_offset(source, entries[index]);
    piece.length = entries[index].packed_bytes;
    piece.deflated = entries[index].method == zip::Method::deflated;
    piece.bytes = entries[index].bytes;
    piece.crc32 = entries[index].crc32;
    return piece;
  }
  Transfer of(std::vector<Piece> pieces) {
    Transfer transfer = plain(std::nullopt, "");
    transfer.pieces = std::move(pieces);
    return transfer;
  }
  std::string member(size_t index) {
    const auto packed =
        source.read(zip::data_offset(source, entries[index]), entries[index].packed_bytes);
    if (entries[index].method == zip::Method::stored) return std::string(as_text(packed));
    std::string text;
    Inflater inflater;
    inflater.push(packed, "x", [&](Bytes bytes) { text += as_text(bytes); });
    return text;
  }
  void serve_archive(JsonBuilder route) {
    route["body"] = server.body("wheel", as_text(archive.bytes()));
    server.route("/wheel.zip", std::move(route));
  }
};

TEST_F(MemberTest, UnpackedAsTheyArriveAndPutTogether) {
  serve_archive({{"etag", "\"w\""}});
  run(of({piece(1), piece(2), piece(1)}));
  EXPECT_EQ(arrived(), member(1) + member(2) + member(1));
}

TEST_F(MemberTest, GoOnAtABlockBoundary) {
  JsonBuilder steps = JsonBuilder::array();
  for (int i = 0; i < 9; ++i) steps.push_back({{"cut", 7'001}});
  steps.push_back(JsonBuilder::object());
  serve_archive({{"etag", "\"w\""}, {"steps", steps}});
  Transfer transfer = of({piece(2), piece(1)});
  transfer.sha256 = sha256_of(member(2) + member(1));
  EXPECT_EQ(run(transfer).sha256, transfer.sha256);
  EXPECT_GE(server.log().size(), 5u);
}

TEST_F(MemberTest, GoOnInAnotherProcess) {
  serve_archive({{"etag", "\"w\""}, {"steps", {{}, {{"cut", 20'000}}, {{"status", 404}}, {}}}});
  Transfer transfer = of({piece(2), piece(1)});
  transfer.sha256 = sha256_of(member(2) + member(1));
  EXPECT_TRUE(thrown_by([&] { run(transfer); }));
  const int64_t here = bytes_already_here(transfer);
  EXPECT_GT(here, entries[2].bytes);
  EXPECT_LT(here, entries[2].bytes + entries[1].bytes);
  EXPECT_EQ(run(transfer).sha256, transfer.sha256);
}

TEST_F(MemberTest, DamageIsFound) {
  serve_archive({});
  Piece wrong_crc = piece(1);
  *wrong_crc.crc32 ^= 1;
  EXPECT_NE(message_of([&] { run(of({wrong_crc})); }).find("crc-32"), std::string::npos);
  Piece early = piece(1);
  early.length = *early.length - 5;
  EXPECT_NE(message_of([&] { run(of({early})); }).find("before their end mark"), std::string::npos);
  Piece late = piece(1);
  late.length = *late.length + 5;
  EXPECT_NE(message_of([&] { run(of({late})); }).find("before the member does"), std::string::npos);
  Piece off = piece(1);
  off.offset += 1;
  EXPECT_NE(message_of([&] { run(of({off})); }).find("broken packed data"), std::string::npos);
  Piece larger = piece(1);
  larger.bytes = *larger.bytes - 1;
  EXPECT_NE(message_of([&] { run(of({larger})); }).find("more arrive"), std::string::npos);
  EXPECT_FALSE(exists("file.bin"));
  EXPECT_FALSE(exists("file.bin.partial"));
}

TEST_F(MemberTest, AChangedArchiveIsNotPutTogether) {
  serve_archive({{"etag", "\"new\""}, {"steps", {{{"etag", "\"old\""}, {"cut", 20'000}}, {}}}});
  const std::string message = message_of([&] { run(of({piece(1)})); });
  EXPECT_NE(message.find("the server does not send parts"), std::string::npos) << message;
}

TEST_F(TransferTest, RangesOfARemoteFile) {
  serve({{"etag", "\"v1\""}, {"steps", {{}, {}, {{"status", 503}}, {}, {{"etag", "\"v2\""}}}}});
  Http http(options());
  auto file = RemoteFile::open(http, server.url(path), "", "file.bin");
  ASSERT_TRUE(file);
  EXPECT_EQ(file->size(), 300'000);
  EXPECT_EQ(as_text(file->read(10, 20)), content.substr(10, 20));
  EXPECT_EQ(as_text(file->read(299'990, 10)), content.substr(299'990));
  EXPECT_TRUE(thrown_by([&] { file->read(0, 5); }));  // another file by now
  serve({{"ranges", false}});
  EXPECT_FALSE(RemoteFile::open(http, server.url(path), "", "file.bin"));
}

}  // namespace
}  // namespace bittern::model_store
