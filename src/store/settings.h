// What the environment says about where models are had from and how.
#pragma once

#include <string>

#include "store/http.h"

namespace bittern::model_store {

struct Settings {
  std::string hub_endpoint;  // without a final slash
  std::string hub_token;     // empty: none
  std::string index_url;
  HttpOptions http;

  // HF_ENDPOINT, HF_TOKEN, PIP_INDEX_URL (or pip.conf's index-url), SSL_CERT_FILE. Proxies are
  // libcurl's own business.
  static Settings from_environment();
};

// index-url of the sections [global] and [install] of a pip.conf; empty where it has none.
std::string index_url_in(std::string_view pip_conf);

}  // namespace bittern::model_store
